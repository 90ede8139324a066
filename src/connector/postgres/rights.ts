// Rights on a table, its columns and the sequences of its identity columns, as its stage is to have them: those of default privileges,
// and those of the owner, are taken away first, then each right is given that the table has, by the role that has given it.

import type { PostgresConnection } from '../../ports/postgres.ts'
import { sameParts } from './parts.ts'

/** A right in the words of GRANT. Roles and columns are quoted. */
export interface Right {
  /** `TABLE NAME`, `SEQUENCE NAME`. */
  readonly on: string
  readonly privilege: string
  /** Undefined: of the whole table. */
  readonly column: string | undefined
  /** Undefined: the owner. */
  readonly grantor: string | undefined
  /** `PUBLIC`, or a role. */
  readonly grantee: string
  readonly isGrantable: boolean
}

const roleOf = (oid: string): string => `CASE WHEN ${oid} = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(${oid})) END`

const things = `${sameParts}, things AS (
    SELECT to_regclass($1)::oid AS live, to_regclass($2)::oid AS stage, concat('TABLE ', $2::text) AS word
    UNION ALL SELECT live, stage, format('SEQUENCE %I.%I', stage_space, stage_name) FROM same WHERE kind = 'SEQUENCE')`

const acl = `coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))`

/** Roles that have a right on the stage. */
const given = `${things} SELECT DISTINCT word, ${roleOf('grantee')} FROM things JOIN pg_class c ON c.oid = stage, aclexplode(${acl})`

const wanted = `${things}
  SELECT word, privilege_type, NULL, CASE WHEN grantor <> relowner THEN ${roleOf('grantor')} END, ${roleOf('grantee')}, is_grantable
    FROM things JOIN pg_class c ON c.oid = live, aclexplode(${acl})
  UNION ALL SELECT word, privilege_type, quote_ident(attname), CASE WHEN grantor <> relowner THEN ${roleOf('grantor')} END,
      ${roleOf('grantee')}, is_grantable
    FROM things JOIN pg_class c ON c.oid = live JOIN pg_attribute ON attrelid = live AND attnum > 0 AND NOT attisdropped,
      aclexplode(attacl)`

/** Takes from all but the role that loads it what default privileges have given: the rows of a stage are not for them, or not yet. */
export async function closeStage(connection: PostgresConnection, stage: string): Promise<void> {
  const rows = await connection.query(
    `SELECT DISTINCT ${roleOf('grantee')} FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass($1) AND grantee <> relowner`, [stage],
  )
  for (const [role] of rows) await connection.query(`REVOKE ALL ON TABLE ${stage} FROM ${role} CASCADE`)
}

/** `live`, `stage`: quoted. REQUIRES: an open transaction; the stage has the owner of the table. */
export async function giveRights(
  connection: PostgresConnection, { live, stage }: { readonly live: string; readonly stage: string },
): Promise<void> {
  for (const [on, role] of await connection.query(given, [live, stage]))
    await connection.query(`REVOKE ALL ON ${on} FROM ${role} CASCADE`)
  const rights = (await connection.query(wanted, [live, stage])).map(([on, privilege, column, grantor, grantee, isGrantable]): Right => ({
    on: on!, privilege: privilege!, column: column ?? undefined, grantor: grantor ?? undefined, grantee: grantee!,
    isGrantable: isGrantable === 't',
  }))
  for (const statement of grantsOf(rights)) await connection.query(statement)
}

/** GRANT statements: a right that a role passes on comes behind the one that allows it to. Pure. */
export function grantsOf(rights: readonly Right[]): string[] {
  const statements: string[] = []
  const placed: Right[] = []
  let left = [...rights]
  while (left.length > 0) {
    const next = left.filter(({ on, privilege, column, grantor }) => grantor === undefined || placed.some(each => each.isGrantable
      && each.on === on && each.privilege === privilege && each.grantee === grantor
      && (each.column === undefined || each.column === column)))
    // A circle, or a right whose basis is gone: the server says which.
    const now = next.length > 0 ? next : left
    statements.push(...now.map(grantOf))
    placed.push(...now)
    left = left.filter(each => !now.includes(each))
  }
  return statements
}

function grantOf({ on, privilege, column, grantor, grantee, isGrantable }: Right): string {
  const of = column === undefined ? '' : ` (${column})`
  const grant = `GRANT ${privilege}${of} ON ${on} TO ${grantee}${isGrantable ? ' WITH GRANT OPTION' : ''}`
  return grantor === undefined ? grant : `SET LOCAL ROLE ${grantor}; ${grant}; RESET ROLE`
}
