// The same small thing done to very many: several are on their way at once, and their results come in the order of what they were made
// of. One change after the other waits for a sync of the namenode's disk each time; changes that wait together share one.
// Invariant: nothing is on its way any more when the generator has ended, however it ends.

const atOnceMax = 32

/** `alone`: begun when all before it are done, such as a directory after what is in it. Throws the first failure in that order. */
export async function* concurrent<T, R>(
  items: AsyncIterable<T>, work: (item: T) => Promise<R>, alone: (item: T) => boolean = () => false,
): AsyncGenerator<R, void, undefined> {
  const flying: Promise<R>[] = []
  try {
    for await (const item of items) {
      const most = alone(item) ? 0 : atOnceMax - 1
      while (flying.length > most) yield await flying.shift()!
      const one = work(item)
      // Who fails while others are waited for is heard in its turn.
      one.catch(() => {})
      flying.push(one)
    }
    while (flying.length > 0) yield await flying.shift()!
  } finally {
    await Promise.allSettled(flying)
  }
}
