// Pairs of a map-reduce job: types of keys and of the function that emits a pair. Part of the public types of programs.

/** Keys are sorted and compared by value: arrays element by element. */
export type Key = string | number | bigint | boolean | null | readonly Key[]

/**
 * Emits one record. Never waits. Copies key and value, so that they may be changed afterwards. Throws when called after the function to
 * which it was passed has returned (or its promise has settled).
 */
export type Emit<K extends Key = Key, V = unknown> = (key: K, value: V) => void
