// Origin of a text: the bytes that it was decoded from. A writer that gets an equal text copies them in place of encoding the text again.
// INVARIANT: while `text` is set, bytes[start, end) are its UTF-8. The reader that has set it clears it before the bytes change.

const noBytes = Buffer.alloc(0)

export class TextOrigin {
  text: string | undefined = undefined
  bytes: Buffer = noBytes
  start = 0
  end = 0

  set(text: string, bytes: Buffer, start: number, end: number): void {
    this.text = text
    this.bytes = bytes
    this.start = start
    this.end = end
  }

  clear(): void { this.text = undefined }
}

/** Origins of the key and of the value that the program has got last. */
export class TextOrigins {
  readonly key = new TextOrigin()
  readonly value = new TextOrigin()

  clear(): void {
    this.key.clear()
    this.value.clear()
  }
}
