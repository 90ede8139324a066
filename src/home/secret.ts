// The cluster's secret: a file of at least 32 bytes, readable by its owner only. Reading it grants full access to the cluster.
//
// While the secret is changed, a second one lies beside it, in a file of the same name and `.other`. The first signs requests, issues
// tokens and seals; both are accepted, and open what is sealed. So servers can be restarted one by one while clients of both are served.

import { GristmillError } from '../base/errors.ts'
import type { Disk } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'

const secretBytesMin = 32

export interface Secrets {
  readonly secret: Buffer
  /** Accepted too; undefined while the secret is not being changed. */
  readonly otherSecret?: Buffer | undefined
}

const otherOf = (path: string): string => `${path}.other`

/** Reads the secret, and the other one if there is one. Throws CONFIG_INVALID for either. */
export async function loadSecrets(disk: Disk, path: string): Promise<Secrets> {
  const secret = await loadSecret(disk, path)
  const other = otherOf(path)
  if (!(await disk.stat(other))) return { secret }
  const otherSecret = await loadSecret(disk, other)
  return otherSecret.equals(secret) ? { secret } : { secret, otherSecret }
}

/** Throws CONFIG_INVALID if it is missing, short, or open to others. */
async function loadSecret(disk: Disk, path: string): Promise<Buffer> {
  const stat = await disk.stat(path)
  if (!stat)
    throw new GristmillError(
      'CONFIG_INVALID',
      `there is no secret file ${path}; copy the cluster's secret there, or give its path (--secret-file). For a new cluster create one: head -c 32 /dev/urandom | base64 > ${path} && chmod 600 ${path}`,
      { details: { path } },
    )
  if (stat.kind !== 'file')
    throw new GristmillError('CONFIG_INVALID', `${path} is not a file (links are not followed); give the secret file itself`, {
      details: { path },
    })
  if (stat.mode !== undefined && (stat.mode & 0o077) !== 0) {
    throw new GristmillError(
      'CONFIG_INVALID',
      `the secret file ${path} can be read by others (mode ${(stat.mode & 0o777).toString(8)}); run: chmod 600 ${path}`,
      { details: { path } },
    )
  }
  const secret = Buffer.from((await disk.readFile(path)).toString('latin1').trim(), 'latin1')
  if (secret.length < secretBytesMin) {
    throw new GristmillError(
      'CONFIG_INVALID',
      `the secret in ${path} has ${secret.length} bytes; it must have at least ${secretBytesMin}`,
      { details: { path } },
    )
  }
  return secret
}

/**
 * Reads the secret, or creates a new one if it is missing. REQUIRES: the caller has locked its directory, so that no other process
 * creates it.
 */
export async function loadOrCreateSecrets({ disk, random }: { disk: Disk; random: Random }, path: string): Promise<Secrets> {
  if (!(await disk.stat(path)))
    await disk.writeFileDurable(path, Buffer.from(`${Buffer.from(random.bytes(secretBytesMin)).toString('hex')}\n`), { mode: 0o600 })
  return loadSecrets(disk, path)
}
