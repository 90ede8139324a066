// Port: types of Avro. In JavaScript, integers of 64 bits are bigints, bytes are buffers, and a union is the value itself unless its
// branches look the same. Logical types are texts with all their digits: decimals as digits; dates, times and timestamps as in ISO 8601;
// UUIDs. A Date may be written as a timestamp or a date, and a Map whose keys are texts as a map. A logical type that is not known, or
// does not fit its type, is the value below it.

/** `read`, `write`: rows of files, see `typeOf`. `message`: values that become JSON, or come from it. */
export type AvroUse = 'message' | 'read' | 'write'

export interface AvroType {
  /** Throws Error for bytes that are not one value of this type, and for texts and keys of maps that are not UTF-8. */
  fromBuffer(bytes: Buffer): unknown
  /** The value that begins at an offset. Throws Error for bytes that are none. */
  read(bytes: Buffer, offset: number): AvroRead
  /**
   * Throws EINVAL that names the part of the value that does not fit, as a field that the schema does not have, or a text that UTF-8 does
   * not have. Any Uint8Array is bytes, and a bigint any number that holds it.
   */
  encode(value: unknown): Uint8Array
}

interface AvroRead {
  readonly value: unknown
  /** Offset behind it. */
  readonly end: number
  /** False: a text or a key of a map is not UTF-8, and has U+FFFD in its place. */
  readonly isUtf8: boolean
  /** Items of lists that have no bytes, such as `null`: memory that the length of the bytes does not bound. */
  readonly emptyItems: number
}

export interface Avro {
  /**
   * Throws Error for what is no schema. For `read` and `write`, records are plain objects, and integers of 64 bits are numbers up to 2^53;
   * `read` does not look at defaults of fields. `named`: schemas whose types it names, each behind those that it names itself.
   */
  typeOf(schema: unknown, use?: AvroUse, named?: readonly unknown[]): AvroType
}

/** Throws CONFIG_INVALID if the package is not there. */
export type LoadAvro = () => Promise<Avro>
