// Content of a reference (src/base/reference.ts): the length of the file that it stands for and, sealed with the secret of the cluster, the
// pin of this file and, of S3, the access to the service. Any process of the cluster opens it, on any machine, and reads exactly the pinned
// content or gets ESTALE. Only a holder of the secret makes one; bound to its path, it opens at no other: a user of a gateway, who may set
// attributes, cannot have servers open connections to places of their choice.

import { GristmillError, hasCode } from '../base/errors.ts'
import type { OpenOutside, OutsideFile } from '../ports/outside.ts'
import type { Vault } from '../rpc/vault.ts'
import type { AskDeps } from './ask.ts'
import type { FilePin, OutsideFiles } from './connector.ts'
import { HttpFile } from './http/http.ts'
import { locationOf } from './location.ts'
import { readSplit } from './pull.ts'
import type { S3Access } from './s3/access.ts'
import { S3Client } from './s3/client.ts'
import { S3Objects } from './s3/source.ts'

/** `v`: version of the form. `sealed`: of `Referred`. */
interface Reference { readonly v: 1; readonly bytes: number; readonly sealed: string }

/** `access`: of a service of S3. */
interface Referred { readonly pin: FilePin; readonly access?: S3Access }

/** `path`: of the reference. REQUIRES: the file is resumable. */
export function referenceTo(
  path: string, { pin: { name, url, bytes, etag, modified, ranges }, access }: Referred, vault: Pick<Vault, 'seal'>,
): string {
  const pin: FilePin = {
    name, url, bytes: bytes!, ranges, sums: [], ...etag !== undefined && { etag }, ...modified !== undefined && { modified },
  }
  const sealed = vault.seal(JSON.stringify({ pin, ...access && { access } } satisfies Referred), sealName(path))
  return JSON.stringify({ v: 1, bytes: bytes!, sealed } satisfies Reference)
}

const sealName = (path: string): string => `reference ${path}`

/** Length of the file for which a reference stands. Throws CORRUPT. */
export const referredBytes = (reference: string): number => parsed(reference).bytes

function parsed(text: string): Reference {
  try {
    const reference = JSON.parse(text) as Reference
    const { v, bytes, sealed } = reference
    if (v === 1 && Number.isSafeInteger(bytes) && bytes >= 0 && typeof sealed === 'string') return reference
  } catch {}
  throw damaged()
}

const damaged = (cause?: unknown): GristmillError => new GristmillError(
  'CORRUPT', 'a reference to a file outside of the cluster cannot be opened: it was moved, or was made by another cluster or version', { cause },
)

interface OpeningDeps extends AskDeps { readonly vault: Pick<Vault, 'open'> }

export const openerOf = (deps: OpeningDeps): OpenOutside => async (reference, path) => {
  const { bytes, sealed } = parsed(reference)
  let referred: Referred
  try {
    referred = JSON.parse(deps.vault.open(sealed, sealName(path))) as Referred
  } catch (error) {
    throw damaged(error)
  }
  const { pin } = referred
  if (pin.bytes !== bytes) throw damaged()
  return new PinnedFile(deps, { ...pin, bytes }, sourceOf(deps, referred))
}

function sourceOf(deps: OpeningDeps, { pin: { url }, access }: Referred): OutsideFiles {
  const location = locationOf(url)
  return location.kind === 'http'
    ? new HttpFile(deps, location.url)
    : new S3Objects(new S3Client(deps, access!, location.bucket), location.key)
}

class PinnedFile implements OutsideFile {
  readonly bytes: number
  readonly shown: string
  readonly #deps: AskDeps
  readonly #pin: FilePin
  readonly #source: OutsideFiles

  constructor(deps: AskDeps, pin: FilePin & { readonly bytes: number }, source: OutsideFiles) {
    this.#deps = deps
    this.#pin = pin
    this.#source = source
    this.bytes = pin.bytes
    this.shown = pin.url
  }

  async * read(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const split = { pin: this.#pin, start, end: Math.min(end, this.bytes) }
    if (start >= split.end) return
    try {
      yield* readSplit(this.#deps, this.#source, split, signal)
    } catch (error) {
      if (!hasCode(error, 'ESTALE')) throw error
      throw new GristmillError('ESTALE', `${this.shown} was replaced while it was read; run it again`, { cause: error })
    }
  }
}
