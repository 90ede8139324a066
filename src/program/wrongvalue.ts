// TypeErrors of functions of this package that a program has called with a value of the wrong kind: the task ends at once, because another
// attempt would get the same value. Part of every bundle: imports nothing. The mark is that of src/base/wronguse.ts.

export const wrongValue = (message: string): TypeError =>
  Object.defineProperty(new TypeError(message), Symbol.for('gristmill.wronguse'), { value: true })
