// Rules by which pages of other origins may use a bucket (CORS): their XML, the attribute of the bucket's directory that keeps them, and
// the decision about a request. Pure, but for the operations.
// INVARIANT: what is read from the attribute has the form that PutBucketCors writes, or counts as no rules: other doors may set attributes.

import { hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { corsName, headerValue } from './attributes.ts'
import { checkBucket } from './buckets.ts'
import { S3Error } from './errors.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { document } from './xml.ts'
import { elementsOf, parse, textOf, textsOf, type Element } from './xmlreader.ts'

export interface CorsRule {
  readonly id?: string
  readonly origins: readonly string[]
  readonly methods: readonly string[]
  readonly headers: readonly string[]
  readonly exposed: readonly string[]
  readonly maxAgeSeconds?: number
}

const rulesMax = 100
const methods: readonly string[] = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD']
/** A token of HTTP, in which one star stands for any text. */
const headerForm = /^[\w!#$%&'+.^`|~-]*\*?[\w!#$%&'+.^`|~-]*$/
const originForm = /^[^\s,*]*\*?[^\s,*]*$/

const malformed = (why: string): S3Error =>
  new S3Error('MalformedXML', `The XML you provided was not well-formed or did not validate against our published schema: ${why}`)

function ruleOf(element: Element): CorsRule {
  const age = textOf(element, 'MaxAgeSeconds')
  const id = textOf(element, 'ID')
  const rule: CorsRule = {
    ...id !== undefined && { id }, origins: textsOf(element, 'AllowedOrigin'), methods: textsOf(element, 'AllowedMethod'),
    headers: textsOf(element, 'AllowedHeader'), exposed: textsOf(element, 'ExposeHeader'),
    ...age !== undefined && { maxAgeSeconds: /^\d{1,9}$/.test(age) ? Number(age) : Number.NaN },
  }
  const unknown = rule.methods.find(method => !methods.includes(method))
  if (unknown !== undefined)
    throw new S3Error('InvalidRequest', `Found unsupported HTTP method in CORS config. Unsupported method is ${unknown.slice(0, 50)}`)
  if (!isRule(rule)) throw malformed('a CORSRule has origins and methods, and in each origin and header at most one wildcard')
  return rule
}

const areTexts = (value: unknown, form: RegExp): value is readonly string[] =>
  Array.isArray(value) && value.every(text => typeof text === 'string' && form.test(text) && headerValue.test(text))

function isRule(rule: Partial<Record<keyof CorsRule, unknown>> | null): boolean {
  if (typeof rule !== 'object' || rule === null) return false
  const { id, origins, methods: allowed, headers, exposed, maxAgeSeconds: age } = rule
  return areTexts(origins, originForm) && origins.length > 0 && areTexts(allowed, /^/) && allowed.length > 0
    && allowed.every(method => methods.includes(method)) && areTexts(headers, headerForm) && areTexts(exposed, /^[\w!#$%&'+.^`|~-]+$/)
    && (id === undefined || (typeof id === 'string' && id.length <= 255)) && (age === undefined || Number.isSafeInteger(age))
}

/** Rules in the attribute of a bucket; none if it is missing or has another form. */
export function rulesIn(text: string | undefined): readonly CorsRule[] {
  try {
    const rules = JSON.parse(text ?? '[]') as unknown
    return Array.isArray(rules) && rules.every(rule => isRule(rule as never)) ? rules as CorsRule[] : []
  } catch {
    return []
  }
}

/** True if the text has the form of a pattern, in which a star stands for any text. */
function fits(text: string, pattern: string): boolean {
  const [start = '', end] = pattern.split('*')
  return end === undefined ? text === pattern : text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end)
}

interface Asked {
  readonly origin: string
  readonly method: string
  /** Headers that a page would send, which a preflight request names. */
  readonly headers?: readonly string[]
}

/** Headers of an answer to a page of this origin; undefined: no rule allows the request. */
export function corsHeaders(rules: readonly CorsRule[], { origin, method, headers = [] }: Asked): Record<string, string> | undefined {
  const lower = headers.map(header => header.toLowerCase())
  const rule = rules.find(each => each.origins.some(pattern => fits(origin, pattern)) && each.methods.includes(method)
    && lower.every(header => each.headers.some(pattern => fits(header, pattern.toLowerCase()))))
  if (!rule) return undefined
  const anyOrigin = rule.origins.includes('*')
  return {
    'access-control-allow-origin': anyOrigin ? '*' : origin, ...!anyOrigin && { 'access-control-allow-credentials': 'true' },
    'access-control-allow-methods': rule.methods.join(', '), ...lower.length > 0 && { 'access-control-allow-headers': lower.join(', ') },
    ...rule.exposed.length > 0 && { 'access-control-expose-headers': rule.exposed.join(', ') },
    ...rule.maxAgeSeconds !== undefined && { 'access-control-max-age': String(rule.maxAgeSeconds) },
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  }
}

const none = (): S3Error => new S3Error('NoSuchCORSConfiguration', 'The CORS configuration does not exist')

/** Rules decide what pages may read in the name of users: the bucket's owner sets them. */
async function checkOwns(call: S3Call): Promise<void> {
  await checkBucket(call)
  const { owner } = await call.mill.status(bucketOf(call), { signal: call.signal })
  if (owner !== call.user) throw new S3Error('AccessDenied', 'Access Denied: only the owner of a bucket sets its CORS configuration')
}

async function putCors(call: S3Call): Promise<S3Answer> {
  const text = await call.payload({ bytesMax: 64 * 1024 }).text()
  await checkOwns(call)
  const rules = elementsOf(parse(text, 'CORSConfiguration', { elementsMax: 5000 }), 'CORSRule').map(ruleOf)
  if (rules.length === 0 || rules.length > rulesMax) throw malformed(`a CORS configuration has 1 to ${rulesMax} rules`)
  const kept = JSON.stringify(rules)
  if (Buffer.byteLength(kept) > limits.attributeBytesMax)
    throw new S3Error('InvalidRequest', `The CORS configuration takes more than ${limits.attributeBytesMax} bytes`)
  await call.mill.xattrs.set(bucketOf(call), corsName, kept, { signal: call.signal })
  return {}
}

async function getCors(call: S3Call): Promise<S3Answer> {
  await checkBucket(call)
  const { attributes } = await call.mill.objects.get(bucketOf(call), { attributes: [corsName], signal: call.signal })
  const rules = rulesIn(attributes[corsName])
  if (rules.length === 0) throw none()
  return {
    xml: document('CORSConfiguration', {
      CORSRule: rules.map(rule => ({
        ID: rule.id, AllowedOrigin: rule.origins, AllowedMethod: rule.methods, AllowedHeader: rule.headers, ExposeHeader: rule.exposed,
        MaxAgeSeconds: rule.maxAgeSeconds,
      })),
    }),
  }
}

async function deleteCors(call: S3Call): Promise<S3Answer> {
  await checkOwns(call)
  await call.mill.xattrs.rm(bucketOf(call), corsName, { signal: call.signal }).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error
  })
  return { status: 204 }
}

export const corsOperations: readonly S3Operation[] = [
  { name: 'GetBucketCors', method: 'GET', on: 'bucket', with: ['cors'], answer: getCors },
  {
    name: 'PutBucketCors', method: 'PUT', on: 'bucket', with: ['cors'], answer: putCors,
    limits: `at most ${limits.attributeBytesMax} bytes; in force within five seconds`,
  },
  { name: 'DeleteBucketCors', method: 'DELETE', on: 'bucket', with: ['cors'], answer: deleteCors },
]
