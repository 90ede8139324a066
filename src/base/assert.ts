// Assertions for programming errors. Errors of the environment are GristmillErrors (errors.ts).

/** Throws if a condition that this program guarantees does not hold. */
export function assert(condition: unknown, message = 'assertion failed'): asserts condition {
  if (!condition) throw new AssertionFailed(message)
}

/** Ends a switch over a tagged union; the compiler proves that it is unreachable. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`unexpected variant: ${JSON.stringify(value)}`)
}

export class AssertionFailed extends Error {
  override name = 'AssertionFailed'
}
