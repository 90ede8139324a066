// Record formats: the one table of their names, extensions, record ends and options, and of the numbers that stand for them in stored
// metadata. Messages, checks of options, help texts, splits and executors take them from here; a new format is a row of this table, a
// reader (chosen in src/record/reader.ts) and a writer (src/record/writer.ts).
// A program's bundle contains this file: it imports nothing and has no side effects.

/** Options of a job's input. Each belongs to all formats, or to those that list it in the table. */
export interface InputOptions {
  readonly format: InputFormat
  /**
   * csv: one ASCII character; default: from the file's metadata, or detected from its first rows; a comma if no delimiter splits
   * any row.
   */
  readonly delimiter?: string
  /** csv: the first row of each file names the columns (default) and records are objects; false: records are arrays. */
  readonly header?: boolean
  /**
   * Encoding of the text: `utf8` (default), `latin1` (ISO 8859-1), `windows1252`, `utf16le`, `utf16be`. A byte order mark of another
   * encoding is an error. gzip and zstd are decompressed automatically.
   */
  readonly encoding?: TextEncoding
  /** Bytes that are not UTF-8: U+FFFD and a counter (default), or EINVAL with their offset. */
  readonly invalidUtf8?: typeof invalidUtf8Modes[number]
  /** A record that does not parse: EINVAL with its offset (default), or a counter. */
  readonly badRecords?: typeof badRecordsModes[number]
  /** jsonl: integers beyond 2^53 are bigints (default) or strings, or bad records; they are never rounded. */
  readonly largeIntegers?: typeof largeIntegersModes[number]
  /** whole: records are `{ path, bytes }` instead of `{ path, text }`. */
  readonly bytes?: boolean
}

/** Options of a job's output files. */
export interface OutputOptions {
  readonly format: OutputFormat
  /** csv: one ASCII character between fields; default: `,`. */
  readonly delimiter?: string | undefined
  /** csv: write the columns' names first; default: true. */
  readonly header?: boolean | undefined
  /** csv: the columns of the value, in this order, the same in all parts; default: those of each part's first record. */
  readonly columns?: readonly string[] | undefined
  /** avro, required: the schema of a record, as an object or as its JSON. */
  readonly schema?: object | string | undefined
  /** avro: compression of blocks; default: deflate. */
  readonly codec?: typeof avroCodecs[number] | undefined
}

export const avroCodecs = ['deflate', 'null'] as const

/** `latin1`: ISO 8859-1, each byte is the code of its character. `windows1252`: the "ANSI" code page of Windows in Western Europe. */
export const textEncodings = ['utf8', 'latin1', 'windows1252', 'utf16le', 'utf16be'] as const
export type TextEncoding = typeof textEncodings[number]

export const invalidUtf8Modes = ['replace', 'error'] as const
export const badRecordsModes = ['error', 'skip'] as const
export const largeIntegersModes = ['bigint', 'string', 'error'] as const

interface Format {
  /**
   * End of a record: at any newline; at a newline outside of quotes, which depends on all bytes before it; with its file; in a group of
   * records, which ends with a marker that the file's beginning names. Files of a format without records are cut anywhere.
   */
  readonly recordEnd?: 'newline' | 'row' | 'file' | 'marker'
  /** Number in stored metadata, never changed. It has two bits: a fifth one needs a new version of entries and leases. */
  readonly stored?: 0 | 1 | 2 | 3
  /** `put` stores files with these extensions in this format. */
  readonly extensions?: readonly string[]
  /** Fields are separated by a delimiter, which is stored with the file. */
  readonly delimited?: true
  /** The first record of a file may name the fields of all others. */
  readonly header?: true
  /** Its records are no text: it has no encoding. */
  readonly binary?: true
  /** Jobs read it. `options`: those that only some formats have. */
  readonly input?: { readonly options: ReadonlyArray<Exclude<keyof InputOptions, 'format'>> }
  /** Jobs write it. `as`: format in which the files are stored. */
  readonly output?: {
    readonly as: 'lines' | 'jsonl' | 'csv' | 'bytes'
    /** Format in which jobs read them; default: `as`. */
    readonly read?: 'avro'
    readonly extension: string
    readonly options: ReadonlyArray<Exclude<keyof OutputOptions, 'format'>>
  }
}

/** The order is the order in messages; the first format of inputs and the first one of outputs are the defaults. */
export const formats = {
  bytes: { stored: 0 },
  /** `key<TAB>value`, or the value alone without a key. */
  text: { recordEnd: 'newline', output: { as: 'lines', extension: '.txt', options: [] } },
  lines: { recordEnd: 'newline', stored: 1, extensions: ['txt', 'log', 'tsv', 'md'], input: { options: [] } },
  jsonl: {
    recordEnd: 'newline', stored: 2, extensions: ['jsonl', 'ndjson'], input: { options: ['largeIntegers'] },
    output: { as: 'jsonl', extension: '.jsonl', options: [] },
  },
  csv: {
    recordEnd: 'row', stored: 3, extensions: ['csv'], delimited: true, header: true, input: { options: ['delimiter', 'header'] },
    output: { as: 'csv', extension: '.csv', options: ['delimiter', 'header', 'columns'] },
  },
  /** One record per file. */
  whole: { recordEnd: 'file', input: { options: ['bytes'] } },
  /** Object container files of Avro. */
  avro: {
    recordEnd: 'marker', binary: true, input: { options: [] },
    output: { as: 'bytes', read: 'avro', extension: '.avro', options: ['schema', 'codec'] },
  },
} as const satisfies Readonly<Record<string, Format>>

type Formats = typeof formats
type Having<P> = { [F in keyof Formats]: Formats[F] extends P ? F : never }[keyof Formats]

/** Record format by which a file's blocks end; `bytes`: anywhere. */
export type RecordFormat = Having<{ readonly stored: number }>
/** Format of input files. */
export type InputFormat = Having<{ readonly input: unknown }>
/** Format of a job's output files. */
export type OutputFormat = Having<{ readonly output: unknown }>

const names = Object.keys(formats) as Array<keyof Formats>
const factsOf = (format: keyof Formats): Format => formats[format]

/** In the order of their stored numbers. */
export const recordFormats = names.filter(name => factsOf(name).stored !== undefined) as readonly RecordFormat[]
export const inputFormats = names.filter(name => factsOf(name).input) as readonly InputFormat[]
export const outputFormats = names.filter(name => factsOf(name).output) as readonly OutputFormat[]
export const inputFormatDefault = 'lines' satisfies InputFormat
export const outputFormatDefault = 'text' satisfies OutputFormat

export const recordEnd = (format: keyof Formats): Format['recordEnd'] => factsOf(format).recordEnd
export const isDelimited = (format: keyof Formats): boolean => factsOf(format).delimited === true
export const hasHeader = (format: keyof Formats): boolean => factsOf(format).header === true
export const isBinary = (format: keyof Formats): boolean => factsOf(format).binary === true

/** Formats of inputs, or of outputs, that have the option. */
export const inputsWith = (option: string): readonly string[] =>
  inputFormats.filter(name => (formats[name].input.options as readonly string[]).includes(option))
export const outputsWith = (option: string): readonly string[] =>
  outputFormats.filter(name => (formats[name].output.options as readonly string[]).includes(option))

/** Format in which jobs read the files of an output. */
export const readFormatOf = (format: OutputFormat): InputFormat => {
  const { as, read } = factsOf(format).output!
  return read ?? as as InputFormat
}

/** Extension of output files, with its dot. */
export const extensionOf = (format: OutputFormat): string => formats[format].output.extension

/** Format of a file by the extension of its name; `bytes` for an unknown one. */
export function formatOfName(name: string): RecordFormat {
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase()
  return recordFormats.find(format => extension !== undefined && factsOf(format).extensions?.includes(extension)) ?? 'bytes'
}
