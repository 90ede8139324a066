// Assertions for programming errors. Errors of the environment are GristmillErrors (errors.ts).

/** Throws if a condition that this program guarantees does not hold. */
export function assert(condition: unknown, message = 'assertion failed'): asserts condition {
  if (!condition) throw new AssertionFailed(message)
}

/** Throws if state that is kept by hand (a sum, a count, an index) differs from a recount. `of`: the item that it belongs to. */
export function assertKept(what: string, kept: number | string | boolean, found: number | string | boolean, of?: number | string): void {
  if (kept !== found) throw new AssertionFailed(`${what}${of === undefined ? '' : ` of ${of}`}: ${kept} kept, ${found} found`)
}

/** Ends a switch over a tagged union; the compiler proves that it is unreachable. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`unexpected variant: ${JSON.stringify(value)}`)
}

export class AssertionFailed extends Error {
  override name = 'AssertionFailed'
}
