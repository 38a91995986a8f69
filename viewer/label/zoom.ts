/** By how much a key enlarges the slice, and how far it goes. */
export const KEY_ZOOM = 1.25;
export const MOST_ZOOM = 16;
