// Policies of buckets: the statements of a JSON document, and the decision about a request. Pure. What a statement may contain is a subset
// of AWS's; a document with anything else is refused when it is set, because a statement that is left out could allow more or less.
// INVARIANT: a denial wins over every permission; without a statement that fits, the policy decides nothing.

import { S3Error } from './errors.ts'
import { policyActions } from './policyactions.ts'

/** Facts about a request, by condition key in lower case. A key that is missing does not apply to the request. */
export type ConditionValues = Readonly<Record<string, string | undefined>>

export interface PolicyRequest {
  /** undefined: the request is not signed. */
  readonly user: string | undefined
  /** For instance `s3:GetObject`. */
  readonly action: string
  /** `BUCKET` or `BUCKET/KEY`. */
  readonly resource: string
  readonly values: ConditionValues
}

interface Condition {
  readonly negated: boolean
  /** Compares with a pattern, in which `*` and `?` are wildcards. */
  readonly like: boolean
  readonly foldsCase: boolean
  /** Holds for a request to which the key does not apply (`…IfExists`). */
  readonly ifExists: boolean
  readonly key: string
  readonly texts: readonly string[]
}

interface Statement {
  readonly allows: boolean
  /** 'all': also requests without a signature. */
  readonly users: 'all' | ReadonlySet<string>
  readonly actions: readonly string[]
  /** Without the prefix `arn:aws:s3:::`. */
  readonly resources: readonly string[]
  readonly conditions: readonly Condition[]
}

export type BucketPolicy = readonly Statement[]

const statementsMax = 100
/** Actions, resources, users and values of all statements: each request is compared with them. */
const textsMax = 1000

const malformed = (why: string): S3Error => new S3Error('MalformedPolicy', why)
const unsupported = (what: string): S3Error =>
  new S3Error('NotImplemented', `A policy you provided implies functionality that is not implemented: ${what.slice(0, 100)}`)

/**
 * Reads the policy of a bucket. Actions of any name are read: a policy that was stored keeps its meaning when the list of names changes.
 * Throws MalformedPolicy, NotImplemented.
 */
export function policyIn(text: string, bucket: string): BucketPolicy {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw new S3Error('MalformedPolicy', 'Policies must be valid JSON and the first byte must be \'{\'', { cause: error })
  }
  const { Version: version, Id: id, Statement: given, ...more } = fieldsOf(document, 'the policy')
  checkNothing(more, 'the policy')
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17')
    throw malformed('The policy must contain a valid version string')
  if (id !== undefined && typeof id !== 'string') throw malformed('The Id of a policy is a text')
  const statements = Array.isArray(given) ? given : [given]
  if (given === undefined || statements.length === 0 || statements.length > statementsMax)
    throw malformed(`Missing required field Statement: a policy has 1 to ${statementsMax} statements`)
  const read = statements.map(each => statementOf(each, bucket))
  const texts = read.reduce((sum, { users, actions, resources, conditions }) => sum + (users === 'all' ? 1 : users.size) + actions.length
    + resources.length + conditions.reduce((all, each) => all + each.texts.length, 0), 0)
  if (texts > textsMax) throw malformed(`A policy names at most ${textsMax} users, actions, resources and values`)
  return read
}

/** For a policy that is to be stored. Throws MalformedPolicy for an action that S3 does not have. */
export function checkActions(policy: BucketPolicy): void {
  const isKnown = (action: string): boolean => action === '*' || policyActions.some(one => matches(one, action))
  const unknown = policy.flatMap(({ actions }) => actions).find(action => !isKnown(action))
  if (unknown !== undefined) throw invalidAction(unknown)
}

function fieldsOf(given: unknown, what: string): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw malformed(`${what} is no object of JSON`)
  return given as Record<string, unknown>
}

function checkNothing(more: object, what: string): void {
  const [name] = Object.keys(more)
  if (name !== undefined) throw malformed(`Unknown field ${name.slice(0, 50)} in ${what}`)
}

function textsOf(given: unknown, what: string): readonly string[] {
  const texts: unknown[] = Array.isArray(given) ? given : [given]
  if (texts.length === 0 || !texts.every(text => typeof text === 'string'))
    throw malformed(`Missing required field ${what}: a text, or a list of texts`)
  return texts as string[]
}

function statementOf(given: unknown, bucket: string): Statement {
  const { Sid: sid, Effect: effect, Principal: principal, Action: action, Resource: resource, Condition: condition = {}, ...more } =
    fieldsOf(given, 'a statement')
  for (const name of ['NotPrincipal', 'NotAction', 'NotResource']) if (name in more) throw unsupported(name)
  checkNothing(more, 'a statement')
  if (sid !== undefined && typeof sid !== 'string') throw malformed('The Sid of a statement is a text')
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed('Invalid effect: it is Allow or Deny')
  return {
    allows: effect === 'Allow', users: usersOf(principal), actions: textsOf(action, 'Action').map(actionOf),
    resources: textsOf(resource, 'Resource').map(each => resourceOf(each, bucket)),
    conditions: Object.entries(fieldsOf(condition, 'a Condition')).flatMap(([operator, keys]) => conditionsOf(operator, keys)),
  }
}

const userForm = /^(?:arn:aws:iam::(?:\d{12})?:user\/(?:[^/]+\/)*)?([^/:*?]+)$/

function usersOf(given: unknown): Statement['users'] {
  if (given === '*') return 'all'
  const { AWS: names, CanonicalUser: canonical, ...more } = fieldsOf(given, 'a Principal')
  const [kind] = Object.keys(more)
  if (kind !== undefined) throw unsupported(`a principal of the kind ${kind}`)
  const texts = [...names === undefined ? [] : textsOf(names, 'AWS'), ...canonical === undefined ? [] : textsOf(canonical, 'CanonicalUser')]
  if (texts.length === 0) throw malformed('Invalid principal in policy: it names no user')
  if (texts.includes('*')) return 'all'
  return new Set(texts.map(text => {
    const [, name] = userForm.exec(text) ?? []
    if (name === undefined) throw malformed(`Invalid principal in policy: ${text.slice(0, 100)} is no arn:aws:iam:::user/NAME`)
    return name
  }))
}

const invalidAction = (text: string): S3Error => malformed(`Policy has invalid action: ${text.slice(0, 100)}`)

function actionOf(text: string): string {
  if (text !== '*' && !/^s3:[a-z*?]+$/i.test(text)) throw invalidAction(text)
  return text.toLowerCase()
}

const arn = 'arn:aws:s3:::'

function resourceOf(text: string, bucket: string): string {
  const name = text.slice(arn.length)
  if (name.includes('${')) throw unsupported('variables in a Resource')
  if (!text.startsWith(arn) || (name !== bucket && !name.startsWith(`${bucket}/`)))
    throw malformed(`Policy has invalid resource: ${text.slice(0, 100)} is not in the bucket ${bucket}`)
  return name
}

const operators: Readonly<Record<string, Omit<Condition, 'key' | 'texts' | 'ifExists'>>> = {
  StringEquals: { negated: false, like: false, foldsCase: false }, StringNotEquals: { negated: true, like: false, foldsCase: false },
  StringEqualsIgnoreCase: { negated: false, like: false, foldsCase: true },
  StringNotEqualsIgnoreCase: { negated: true, like: false, foldsCase: true },
  StringLike: { negated: false, like: true, foldsCase: false }, StringNotLike: { negated: true, like: true, foldsCase: false },
  Bool: { negated: false, like: false, foldsCase: true },
}

/** Facts that the gateway knows of every request to which they apply. */
const conditionKeys: ReadonlySet<string> = new Set([
  'aws:securetransport', 'aws:username', 'aws:referer', 'aws:useragent', 's3:prefix', 's3:delimiter',
])

const ifExistsEnd = /IfExists$/

function conditionsOf(operator: string, keys: unknown): Condition[] {
  const name = operator.replace(ifExistsEnd, '')
  const kind = Object.hasOwn(operators, name) ? operators[name] : undefined
  if (!kind) throw unsupported(`the condition operator ${operator}`)
  return Object.entries(fieldsOf(keys, `the condition ${operator}`)).map(([named, value]) => {
    const key = named.toLowerCase()
    if (!conditionKeys.has(key)) throw unsupported(`the condition key ${named}`)
    const texts = textsOf(typeof value === 'boolean' ? String(value) : value, named)
    if (texts.some(text => text.includes('${'))) throw unsupported('variables in a Condition')
    if (name === 'Bool' && !texts.every(text => /^(?:true|false)$/i.test(text))) throw malformed(`${named} is true or false`)
    return { ...kind, ifExists: ifExistsEnd.test(operator), key, texts }
  })
}

/** True if the text has the form of the pattern: `*` stands for any text, `?` for one character. The work is at most their product. */
export function matches(text: string, pattern: string): boolean {
  let [at, next] = [0, 0]
  /** The last star, and the first character of the text that it does not stand for. */
  let [star, mark] = [-1, 0]
  while (at < text.length) {
    const wanted = pattern[next]
    if (wanted === '*') {
      star = next++
      mark = at
    } else if (wanted !== undefined && (wanted === '?' || wanted === text[at])) {
      at++
      next++
    } else if (star >= 0) {
      next = star + 1
      at = ++mark
    } else return false
  }
  while (pattern[next] === '*') next++
  return next === pattern.length
}

function holds({ negated, like, foldsCase, ifExists, key, texts }: Condition, values: ConditionValues): boolean {
  const value = values[key]
  // As in AWS: what is missing equals nothing, and is unlike everything.
  if (value === undefined) return negated || ifExists
  const fold = (text: string): string => (foldsCase ? text.toLowerCase() : text)
  return texts.some(text => (like ? matches(value, text) : fold(value) === fold(text))) !== negated
}

const fits = ({ users, actions, resources, conditions }: Statement, { user, action, resource, values }: PolicyRequest): boolean =>
  (users === 'all' || (user !== undefined && users.has(user)))
  && actions.some(each => matches(action.toLowerCase(), each)) && resources.some(each => matches(resource, each))
  && conditions.every(each => holds(each, values))

/** undefined: no statement is about the request. */
export function decide(policy: BucketPolicy, request: PolicyRequest): 'allow' | 'deny' | undefined {
  const found = policy.filter(statement => fits(statement, request))
  if (found.some(({ allows }) => !allows)) return 'deny'
  return found.length > 0 ? 'allow' : undefined
}

/** True if the policy allows something to requests without a signature. Conditions on the transport and on the client do not bound them. */
export const isPublic = (policy: BucketPolicy): boolean =>
  policy.some(({ allows, users }) => allows && users === 'all')
