// Port: audit log of a server. One entry for each call that a user made: who did what to which path, and the outcome. src/rpc/serve.ts
// makes the entries; the definition of each message (src/protocol, option `audit`) says which arguments they contain;
// src/world/auditfile.ts writes them as lines of a file.

export interface AuditEntry {
  /** Milliseconds since 1970, when the call was answered. */
  readonly atMs: number
  readonly user: string
  /** IP address that the call came from. */
  readonly address: string
  /** Name of the message, `namespace.remove`. */
  readonly action: string
  /** The call only asks. */
  readonly read: boolean
  /** `ok` or an error code. */
  readonly outcome: string
  /** Arguments that say what the call acts on: paths, nodes, jobs. Never values that may be secret. */
  readonly fields: Readonly<Record<string, unknown>>
}

export type Audit = (entry: AuditEntry) => void
