// Bytes of the partitions of a map output as text, for reports and the journal: numbers to the base of 36 with a comma between them, and
// nothing for 0. Partitions are many and mostly small, so that JSON numbers would take twice the space.

/** REQUIRES: integers from 0 on. */
export const encodeSizes = (bytes: readonly number[]): string => bytes.map(each => (each === 0 ? '' : each.toString(36))).join(',')

/** Undefined for a text that is no such list, or has another number of sizes. */
export function decodeSizes(text: string, partitions: number): number[] | undefined {
  const sizes = text.split(',').map(each => (each === '' ? 0 : /^[0-9a-z]{1,11}$/.test(each) ? parseInt(each, 36) : NaN))
  return sizes.length === partitions && sizes.every(Number.isSafeInteger) ? sizes : undefined
}
