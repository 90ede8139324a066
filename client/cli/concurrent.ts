// Runs one small operation over many items, up to 32 at a time, and yields results in the order of the items. Concurrent mutations
// share a sync of the namenode's disk; sequential ones wait for one sync each.
// Invariant: no operation is in flight when the generator has ended, however it ends.

const atOnceMax = 32

/**
 * `alone`: items that start only when all earlier ones are done, such as a directory after its contents. Throws the first failure
 * in item order.
 */
export async function* concurrent<T, R>(
  items: AsyncIterable<T>, work: (item: T) => Promise<R>, alone: (item: T) => boolean = () => false,
): AsyncGenerator<R, void, undefined> {
  const flying: Promise<R>[] = []
  try {
    for await (const item of items) {
      const most = alone(item) ? 0 : atOnceMax - 1
      while (flying.length > most) yield await flying.shift()!
      const one = work(item)
      // A failure is reported when its turn comes, not as an unhandled rejection.
      one.catch(() => {})
      flying.push(one)
    }
    while (flying.length > 0) yield await flying.shift()!
  } finally {
    await Promise.allSettled(flying)
  }
}
