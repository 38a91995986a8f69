/**
 * Loads items some at a time and gives them out in their order, so that a long list is neither read
 * one request after the other nor held as a whole.
 */
export async function* inOrder<Item, Loaded>(
  items: readonly Item[],
  atOnce: number,
  load: (item: Item) => Promise<Loaded>,
): AsyncGenerator<Loaded> {
  const loading: Promise<Loaded>[] = [];
  for (const [at, item] of items.entries()) {
    const loaded = load(item);
    // Awaited in its turn; a failure until then must not count as unhandled.
    loaded.catch(() => undefined);
    loading.push(loaded);
    if (at + 1 >= atOnce) yield await loading.shift()!;
  }
  for (const loaded of loading) yield await loaded;
}
