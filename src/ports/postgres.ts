// Port: a connection to a PostgreSQL server. One statement at a time. Errors are GristmillErrors with the words of the server, its place in
// the data and its hint, and without credentials; details: `sqlstate`, `reason` (its words without their place), `where` (its place in
// the data).

/** Takes the rows of a COPY … TO STDOUT where they lie in the bytes of the connection. */
export interface CopyTarget {
  /** One row, with its line end. The bytes are valid during the call. */
  put(bytes: Uint8Array, start: number, end: number): void
  /** The bytes that the rows since the last call have become. */
  take(): readonly Uint8Array[]
}

export interface PostgresConnection {
  /** Rows as the server writes them: every value is text, or null. */
  query(sql: string, params?: readonly (string | null)[]): Promise<ReadonlyArray<readonly (string | null)[]>>
  /** COPY … FROM STDIN. Resolves with the number of rows that the server has taken. */
  copyIn(sql: string, bytes: AsyncIterable<Uint8Array>): Promise<number>
  /** COPY … TO STDOUT. The session takes another statement when the last piece was taken. */
  copyOut(sql: string, target: CopyTarget): AsyncIterable<Uint8Array>
  /** Ends the session at once; the server rolls back what it has not committed. Never rejects. */
  close(): Promise<void>
}

export interface PostgresAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly database?: string | undefined
}

/** Default of each part of the address: the variables of PostgreSQL's own clients (PGHOST, PGPASSWORD, …) and ~/.pgpass. */
export type OpenPostgres = (address: PostgresAddress, signal?: AbortSignal) => Promise<PostgresConnection>
