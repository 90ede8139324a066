// Lifecycle of the objects of a bucket: the operations that read and set its rules, and their XML. What a rule may ask for is a subset of
// AWS's; anything else is refused when it is set.

import { lifecycleName } from './attributes.ts'
import { S3Error } from './errors.ts'
import { dayMs, lifecycleIn, type LifecycleRule } from './lifecyclerules.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { dropSetting, putSetting, settingOf } from './setting.ts'
import { document, type XmlContent } from './xml.ts'
import { elementsOf, parse, textOf, type Element } from './xmlreader.ts'

const rulesMax = 1000
const elementsMax = 20 * rulesMax
/** Newer versions that a rule may keep, as in AWS. */
const newerMax = 100

const malformed = (why: string): S3Error =>
  new S3Error('MalformedXML', `The XML you provided was not well-formed or did not validate against our published schema: ${why}`)
const invalid = (why: string): S3Error => new S3Error('InvalidArgument', why)
const unsupported = (what: string): S3Error =>
  new S3Error('NotImplemented', `A rule you provided implies functionality that is not implemented: ${what}`)

const expirations: readonly string[] = ['Days', 'Date', 'ExpiredObjectDeleteMarker']

function ruleOf(element: Element, index: number): LifecycleRule {
  const known = ['ID', 'Status', 'Prefix', 'Filter', 'Expiration', 'NoncurrentVersionExpiration', 'AbortIncompleteMultipartUpload']
  const other = element.children.find(({ name }) => !known.includes(name))
  if (other) throw unsupported(other.name.slice(0, 100))
  const status = textOf(element, 'Status')
  if (status !== 'Enabled' && status !== 'Disabled') throw malformed('the Status of a rule is Enabled or Disabled')
  const id = textOf(element, 'ID') || `rule-${index + 1}`
  if (id.length > 255) throw invalid('ID length should not exceed allowed limit of 255')
  const [filter] = elementsOf(element, 'Filter')
  const old = textOf(element, 'Prefix')
  if ((filter === undefined) === (old === undefined)) throw malformed('a rule has either a Filter or a Prefix')
  const actions = {
    ...expiringOf(elementsOf(element, 'Expiration')), ...noncurrentOf(elementsOf(element, 'NoncurrentVersionExpiration')),
    ...abortOf(elementsOf(element, 'AbortIncompleteMultipartUpload')),
  }
  if (Object.keys(actions).length === 0) throw invalid('At least one action needs to be specified in a rule')
  const chosen = filter ? filterOf(filter) : { prefix: old ?? '', tags: [] }
  if (actions.abortDays !== undefined && (chosen.tags.length > 0 || chosen.largerThan !== undefined || chosen.smallerThan !== undefined))
    throw invalid('AbortIncompleteMultipartUpload cannot be specified with tags or sizes')
  if (actions.expiredMarker && chosen.tags.length > 0) throw invalid('ExpiredObjectDeleteMarker cannot be specified with tags')
  return { id, enabled: status === 'Enabled', filtered: filter !== undefined, ...chosen, ...actions }
}

type Filter = Pick<LifecycleRule, 'prefix' | 'tags' | 'largerThan' | 'smallerThan'>

function filterOf(filter: Element): Filter {
  const [and] = elementsOf(filter, 'And')
  if (filter.children.length > 1) throw malformed('a Filter has one condition; several stand in And')
  const within = and ?? filter
  const other = within.children.find(({ name }) => !['Prefix', 'Tag', 'ObjectSizeGreaterThan', 'ObjectSizeLessThan'].includes(name))
  if (other) throw malformed(`a Filter with ${other.name.slice(0, 100)}`)
  const tags = elementsOf(within, 'Tag').map((tag): readonly [string, string] => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? ''])
  if (tags.some(([name]) => name === '')) throw malformed('a Tag without a Key')
  const [largerThan, smallerThan] = ['ObjectSizeGreaterThan', 'ObjectSizeLessThan'].map(name => numberOf(within, name, 0))
  return {
    prefix: textOf(within, 'Prefix') ?? '', tags, ...largerThan !== undefined && { largerThan },
    ...smallerThan !== undefined && { smallerThan },
  }
}

function numberOf(element: Element, name: string, min: number): number | undefined {
  const text = textOf(element, name)
  if (text === undefined) return undefined
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min) return value
  throw invalid(`'${name}' must be a whole number from ${min} on`)
}

function expiringOf([expiration]: readonly Element[]): Pick<LifecycleRule, 'days' | 'dateMs' | 'expiredMarker'> {
  if (!expiration) return {}
  const [kind, more] = expiration.children
  if (!kind || more || !expirations.includes(kind.name)) throw malformed('an Expiration has either Days or a Date')
  if (kind.name === 'ExpiredObjectDeleteMarker') {
    const text = textOf(expiration, kind.name)
    if (text !== 'true' && text !== 'false') throw malformed('ExpiredObjectDeleteMarker is true or false')
    return text === 'true' ? { expiredMarker: true } : {}
  }
  if (kind.name === 'Days') return { days: numberOf(expiration, 'Days', 1)! }
  const text = textOf(expiration, 'Date') ?? ''
  const dateMs = /^\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(dateMs) || dateMs % dayMs !== 0) throw invalid('\'Date\' must be at midnight GMT')
  return { dateMs }
}

function noncurrentOf([expiration]: readonly Element[]): Pick<LifecycleRule, 'noncurrentDays' | 'newerVersions'> {
  if (!expiration) return {}
  const noncurrentDays = numberOf(expiration, 'NoncurrentDays', 1)
  if (noncurrentDays === undefined) throw malformed('NoncurrentVersionExpiration without NoncurrentDays')
  const newerVersions = numberOf(expiration, 'NewerNoncurrentVersions', 1)
  if (newerVersions !== undefined && newerVersions > newerMax) throw invalid(`'NewerNoncurrentVersions' must be at most ${newerMax}`)
  return { noncurrentDays, ...newerVersions !== undefined && { newerVersions } }
}

function abortOf([abort]: readonly Element[]): Pick<LifecycleRule, 'abortDays'> {
  if (!abort) return {}
  const abortDays = numberOf(abort, 'DaysAfterInitiation', 1)
  if (abortDays === undefined) throw malformed('AbortIncompleteMultipartUpload without DaysAfterInitiation')
  return { abortDays }
}

async function putLifecycle(call: S3Call): Promise<S3Answer> {
  const text = await call.payload({ bytesMax: 256 * 1024 }).text()
  const rules = elementsOf(parse(text, 'LifecycleConfiguration', { elementsMax }), 'Rule').map(ruleOf)
  if (rules.length === 0 || rules.length > rulesMax) throw malformed(`a lifecycle configuration has 1 to ${rulesMax} rules`)
  if (new Set(rules.map(({ id }) => id)).size < rules.length) throw invalid('Rule ID must be unique')
  await putSetting(call, lifecycleName, JSON.stringify(rules))
  call.lifecycleSet?.(call.bucket)
  return {}
}

async function getLifecycle(call: S3Call): Promise<S3Answer> {
  const rules = lifecycleIn(await settingOf(call, lifecycleName))
  if (rules.length === 0) throw new S3Error('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist')
  return { xml: document('LifecycleConfiguration', { Rule: rules.map(elementOf) }) }
}

function elementOf(rule: LifecycleRule): XmlContent {
  const { id, enabled, prefix, filtered, tags, largerThan, smallerThan } = rule
  const conditions = [prefix !== '', ...tags.map(() => true), largerThan !== undefined, smallerThan !== undefined].filter(Boolean).length
  const parts = {
    ...(prefix !== '' || conditions === 0) && { Prefix: prefix },
    ...tags.length > 0 && { Tag: tags.map(([Key, Value]) => ({ Key, Value })) },
    ObjectSizeGreaterThan: largerThan, ObjectSizeLessThan: smallerThan,
  }
  return {
    ID: id, ...filtered ? { Filter: conditions > 1 ? { And: parts } : parts } : { Prefix: prefix },
    Status: enabled ? 'Enabled' : 'Disabled', ...actionsOf(rule),
  }
}

const actionsOf = ({ days, dateMs, abortDays, noncurrentDays, newerVersions, expiredMarker }: LifecycleRule) => ({
  ...(days !== undefined || dateMs !== undefined || expiredMarker) && {
    Expiration: {
      Days: days, Date: dateMs === undefined ? undefined : new Date(dateMs).toISOString(), ExpiredObjectDeleteMarker: expiredMarker,
    },
  },
  ...noncurrentDays !== undefined && {
    NoncurrentVersionExpiration: { NoncurrentDays: noncurrentDays, NewerNoncurrentVersions: newerVersions },
  },
  ...abortDays !== undefined && { AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortDays } },
})

async function deleteLifecycle(call: S3Call): Promise<S3Answer> {
  await dropSetting(call, lifecycleName)
  return { status: 204 }
}

export const lifecycleOperations: readonly S3Operation[] = [
  { name: 'GetBucketLifecycleConfiguration', method: 'GET', on: 'bucket', with: ['lifecycle'], answer: getLifecycle },
  {
    name: 'PutBucketLifecycleConfiguration', method: 'PUT', on: 'bucket', with: ['lifecycle'], answer: putLifecycle,
    limits: 'by the owner of the bucket; at most 16384 bytes; `Expiration`, `NoncurrentVersionExpiration`, and `AbortIncompleteMultipartUpload`',
  },
  { name: 'DeleteBucketLifecycle', method: 'DELETE', on: 'bucket', with: ['lifecycle'], limits: 'by the owner of the bucket',
    answer: deleteLifecycle },
]
