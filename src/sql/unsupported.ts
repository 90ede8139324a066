// The error of the planner for a part of a query that it does not plan. It never reaches a caller: the part is gathered, with the error's
// message as the reason.

export class Unsupported extends Error {
  override readonly name = 'Unsupported'
}

export function unsupported(reason: string): never {
  throw new Unsupported(reason)
}
