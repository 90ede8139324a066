// Skips the beginning of a sequence of bytes: for sources that cannot be asked for a position.

/** The bytes behind the first `count`. */
export async function* behind(bytes: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count
  for await (const piece of bytes) {
    if (left >= piece.length) left -= piece.length
    else {
      yield left === 0 ? piece : piece.subarray(left)
      left = 0
    }
  }
}
