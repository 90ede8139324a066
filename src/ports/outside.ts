// Port: files outside of the cluster for which files of the cluster stand (src/base/reference.ts).

export interface OutsideFile {
  readonly bytes: number
  /** Address, without credentials. */
  readonly shown: string
  /**
   * The bytes [start, end), in pieces; a connection that breaks is opened again. Throws ESTALE if the file is not the pinned one any more,
   * ENOENT, EACCES, UNAUTHENTICATED, UNAVAILABLE, TIMEOUT.
   */
  read(start: number, end: number, signal?: AbortSignal): AsyncIterable<Uint8Array>
}

/** Opens the file that the attribute of a reference names. `path`: of the reference. Throws CORRUPT. */
export type OpenOutside = (reference: string, path: string) => Promise<OutsideFile>
