/** By which a key enlarges the slice. */
export const ZOOM = 1.25;
