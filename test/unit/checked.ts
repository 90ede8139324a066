// Wraps an object that keeps state by hand, so that a test looks at that state after each call without saying so: after the call has
// returned, and again when its promise has settled. A finding fails the call.

type Method = (...args: never[]) => unknown

interface CheckedOptions {
  /** Default: its `checkState()`. */
  readonly check?: () => void
  /** Methods that return objects whose calls change the same state. */
  readonly made?: readonly string[]
}

const look = (target: object): void => (target as { checkState(): void }).checkState()

export function checked<T extends object>(target: T, { check = () => look(target), made = [] }: CheckedOptions = {}): T {
  const wrapped = new Map<PropertyKey, Method>()
  const wrap = (name: PropertyKey, method: Method): Method => (...args) => {
    const shown = (value: unknown): unknown => (made.includes(name as string) && value ? checked(value, { check }) : value)
    let result: unknown
    try {
      result = method.apply(target, args)
    } finally {
      check()
    }
    return result instanceof Promise ? result.finally(check).then(shown) : shown(result)
  }
  return new Proxy(target, {
    // Private fields belong to the target, so that its accessors and methods run on it.
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      let method = wrapped.get(name)
      if (!method) wrapped.set(name, method = wrap(name, value as Method))
      return method
    },
  })
}
