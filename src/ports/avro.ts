// Port: types of Avro. In JavaScript, integers of 64 bits are bigints, bytes are buffers, timestamps and dates are Dates or texts, decimals
// are texts of digits, and a union is the value itself unless its branches look the same.

export interface AvroType {
  /** Throws Error for bytes that are not one value of this type. */
  fromBuffer(bytes: Buffer): unknown
  /** REQUIRES: the value fits. */
  toBuffer(value: unknown): Uint8Array
  /** What of a value, as JSON has it, does not fit: undefined if all does. */
  misfit(value: unknown): string | undefined
}

export interface Avro {
  /** Throws Error for what is no schema. */
  typeOf(schema: unknown): AvroType
}

/** Throws CONFIG_INVALID if the package is not there. */
export type LoadAvro = () => Promise<Avro>
