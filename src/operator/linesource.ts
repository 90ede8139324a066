// Contract of formats that the engine does not read: their files become lines of JSON whose values are texts of the types of their columns
// (linefile.ts). A format opens a file, and gives its columns, and its rows in batches.

import { KiB } from '../base/units.ts'
import type { LoadAvro } from '../ports/avro.ts'

/** Bytes of a file, wherever it is. */
export interface LineSource {
  readonly path: string
  readonly bytes: number
  /** The rows that begin in this part of the file, for kinds that are divided (linefile.ts). Default: all. */
  readonly part?: { readonly start: number; readonly end: number } | undefined
  /** REQUIRES: the range lies in the file. */
  read(start: number, end: number): Promise<Buffer>
}

export interface LineTools { readonly loadAvro: LoadAvro | undefined }

/** Rows of a file. `textOf`: JSON of a value, by its row and by the place of its column in the list that was asked for. */
export interface LineBatch { readonly rows: number; textOf(row: number, place: number): string }

/** An open file. Types of columns are those of SQL. */
export interface LineFile {
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
  /** Rows with these columns, by their numbers. Called once. Throws EINVAL for a file that is damaged. */
  batches(columns: readonly number[]): AsyncGenerator<LineBatch, void, void>
}

const pieceBytes = 256 * KiB

/** The bytes of the file from a position on. */
export async function* piecesOf(source: LineSource, from = 0): AsyncGenerator<Buffer, void, void> {
  for (let at = from; at < source.bytes; at += pieceBytes) yield source.read(at, Math.min(source.bytes, at + pieceBytes))
}
