// Decides in whose name a request is done: the user who signed it, or the owner of the bucket, whose policy allows the request. A policy is
// about S3 alone; the rights of files are the cluster's, at every door.
// INVARIANT: a policy counts for older states of a key as for the key itself, under whatever name they are read (olderkeys.ts).
// INVARIANT: what a policy allows is what the owner of the bucket may do. A copy is done in the name of its user only: in the name of the
// bucket's owner it would read what only the owner may read.

import { hasCode } from '../../../src/base/errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Mill } from '../../mill.ts'
import type { Users } from '../users.ts'
import { actionsOf, isAboutPolicy } from './actions.ts'
import type { BucketSetting, BucketSettings } from './bucketsettings.ts'
import { S3Error } from './errors.ts'
import { outputsIn, snapshotOf } from './olderkeys.ts'
import type { S3Operation } from './operation.ts'
import type { Headers } from './payload.ts'
import { decide, type ConditionValues } from './statements.ts'
import { sourceOf, type S3Target } from './target.ts'

const copySource = 'x-amz-copy-source'

interface AccessDeps { readonly users: Users; readonly settings: BucketSettings }

export interface AccessAsked {
  readonly exchange: Exchange
  readonly operation: S3Operation
  readonly target: S3Target
  /** Key of the operation; that of a form is not in the target. */
  readonly key: string
  readonly headers: Headers
  /** undefined: the request is not signed. */
  readonly user: string | undefined
  readonly encrypted: boolean
}

export const notSigned = (): S3Error => new S3Error('AccessDenied', 'Access Denied: the request is not signed.')
const denied = (): S3Error => new S3Error('AccessDenied', 'Access Denied: by the policy of the bucket.')

const isRefused = (error: unknown): boolean =>
  hasCode(error, 'EACCES') || (error instanceof S3Error && error.name3 === 'AccessDenied')

interface ActionOnKey { readonly action: string; readonly key: string }

interface Decided { readonly setting: BucketSetting | undefined; readonly actions: readonly string[]; readonly key: string }

/** The work of a request in the name of a user. */
type WorkAs<T> = (user: string, mill: Mill, setting?: BucketSetting) => Promise<T>

export class Access {
  readonly #deps: AccessDeps

  constructor(deps: AccessDeps) { this.#deps = deps }

  /** Runs the work of a request. Throws AccessDenied. */
  async as<T>(asked: AccessAsked, work: WorkAs<T>): Promise<T> {
    const { operation, target, key, headers, user, exchange } = asked
    const bucket = target.bucket ?? ''
    const setting = await this.#settingOf(bucket, asked)
    const source = operation.header === copySource ? sourceOf(headers) : undefined
    if (source) await this.#checkSource(source, asked)
    const decision = this.#decide(asked, { setting, actions: actionsOf(operation, headers, target.query.has('versionId')), key })
    if (decision === 'deny' && !(isAboutPolicy(operation) && user !== undefined && user === setting?.owner)) throw denied()
    const lends = decision === 'allow' && setting && source === undefined && user !== setting.owner
    if (!lends) {
      if (user === undefined) throw notSigned()
      return this.#run(user, work, setting)
    }
    const { owner } = setting
    // A body is read once.
    if (user === undefined || operation.method === 'PUT' || operation.method === 'POST') return this.#run(owner, work, setting)
    try {
      return await this.#run(user, work, setting)
    } catch (error) {
      if (exchange.begun || !isRefused(error)) throw error
      return this.#run(owner, work, setting)
    }
  }

  /** The same for one key of a request that names many. */
  async forKey<T>(asked: AccessAsked, { action, key }: ActionOnKey, work: (mill: Mill) => Promise<T>): Promise<T> {
    const setting = await this.#settingOf(asked.target.bucket ?? '', asked)
    const decision = this.#decide(asked, { setting, actions: [action], key })
    if (decision === 'deny') throw denied()
    if (asked.user === undefined) throw notSigned()
    try {
      return await this.#run(asked.user, (_, mill) => work(mill))
    } catch (error) {
      if (decision !== 'allow' || !setting || !isRefused(error)) throw error
      return this.#run(setting.owner, (_, mill) => work(mill))
    }
  }

  #run<T>(user: string, work: WorkAs<T>, setting?: BucketSetting): Promise<T> {
    return this.#deps.users.as(user, mill => work(user, mill, setting))
  }

  #settingOf(bucket: string, { operation, user, exchange: { signal } }: AccessAsked): Promise<BucketSetting | undefined> {
    if (bucket === '' || operation.name === 'CreateBucket') return Promise.resolve(undefined)
    return this.#deps.settings.of(bucket, { caller: user, signal })
  }

  #decide(asked: AccessAsked, { setting, actions, key }: Decided): 'allow' | 'deny' | undefined {
    const policy = setting?.policy
    if (policy === undefined || actions.length === 0) return undefined
    if (policy === 'unreadable') return 'deny'
    const bucket = asked.target.bucket!
    const { operation, headers } = asked
    const isOfBucket = operation.on === 'bucket' && key === ''
    const values = valuesOf(asked)
    const prefix = isOfBucket ? values['s3:prefix'] ?? '' : ''
    const decided = (named: string, done: readonly string[]) => done.map(action => decide(policy, {
      user: asked.user, action, resource: isOfBucket ? bucket : `${bucket}/${named}`,
      values: isOfBucket && prefix !== '' ? { ...values, 's3:prefix': named } : values,
    }))
    const ofVersions = [...new Set([...actions, ...isOfBucket ? ['s3:ListBucketVersions'] : actionsOf(operation, headers, true)])]
    return together(isOfBucket ? prefix : key, { as: named => decided(named, actions), asOlder: named => decided(named, ofVersions) })
  }

  async #checkSource(source: ReturnType<typeof sourceOf>, asked: AccessAsked): Promise<void> {
    const setting = await this.#settingOf(source.bucket, asked)
    if (setting?.policy === undefined) return
    const { policy } = setting
    const decided = (key: string, ...actions: string[]) => (policy === 'unreadable' ? ['deny' as const] : actions.map(action =>
      decide(policy, { user: asked.user, action, resource: `${source.bucket}/${key}`, values: valuesOf(asked) })))
    const action = source.version === undefined ? 's3:GetObject' : 's3:GetObjectVersion'
    const decision = together(source.key, {
      as: key => decided(key, action), asOlder: key => decided(key, 's3:GetObject', 's3:GetObjectVersion'),
    })
    if (decision === 'deny') throw denied()
  }
}

type Decision = ReturnType<typeof decide>

/**
 * The decision about a key and the keys that it may stand for: one denial denies, also one of their versions, because a key with a version
 * in it is an older state; and an allowance must hold for all that it surely is.
 */
function together(
  key: string, { as, asOlder }: Readonly<Record<'as' | 'asOlder', (key: string) => readonly Decision[]>>,
): Decision {
  const older = snapshotOf(key)
  const outputs = outputsIn(older ?? key)
  if (!outputs) return 'deny'
  const sure = [...as(key), ...older === undefined ? [] : asOlder(older)]
  const heads = outputs.flatMap(head => [...as(head), ...asOlder(head)])
  if ([...sure, ...heads].includes('deny')) return 'deny'
  return sure.every(decision => decision === 'allow') ? 'allow' : undefined
}

function valuesOf({ user, encrypted, headers, target: { query } }: AccessAsked): ConditionValues {
  return {
    'aws:securetransport': String(encrypted), 'aws:username': user, 'aws:referer': one(headers.referer),
    'aws:useragent': one(headers['user-agent']), 's3:prefix': query.get('prefix'), 's3:delimiter': query.get('delimiter'),
  }
}

/** A longer header counts as missing: it is compared with every pattern of a policy. */
const headerCharsMax = 2048

function one(header: string | readonly string[] | undefined): string | undefined {
  const text = typeof header === 'string' ? header : header?.[0]
  return text === undefined || text.length > headerCharsMax ? undefined : text
}

