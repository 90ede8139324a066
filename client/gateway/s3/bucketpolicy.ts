// Operations on the policy of a bucket. It is kept as the text that the client sent, because clients compare what they get with it.

import { policyName } from './attributes.ts'
import { S3Error } from './errors.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { dropSetting, putSetting, settingOf } from './setting.ts'
import { checkActions, isPublic, policyIn } from './statements.ts'
import { document } from './xml.ts'

async function policyOf(call: S3Call): Promise<string> {
  const text = await settingOf(call, policyName)
  if (text === undefined) throw new S3Error('NoSuchBucketPolicy', 'The bucket policy does not exist')
  return text
}

async function getPolicy(call: S3Call): Promise<S3Answer> {
  return { json: await policyOf(call) }
}

async function putPolicy(call: S3Call): Promise<S3Answer> {
  const text = await call.payload({ bytesMax: 64 * 1024 }).text()
  checkActions(policyIn(text, call.bucket))
  await putSetting(call, policyName, text)
  return { status: 204 }
}

async function deletePolicy(call: S3Call): Promise<S3Answer> {
  await dropSetting(call, policyName)
  return { status: 204 }
}

async function policyStatus(call: S3Call): Promise<S3Answer> {
  return { xml: document('PolicyStatus', { IsPublic: isPublic(policyIn(await policyOf(call), call.bucket)) }) }
}

export const policyOperations: readonly S3Operation[] = [
  { name: 'GetBucketPolicy', method: 'GET', on: 'bucket', with: ['policy'], answer: getPolicy },
  {
    name: 'PutBucketPolicy', method: 'PUT', on: 'bucket', with: ['policy'], answer: putPolicy,
    limits: 'by the owner of the bucket; at most 16384 bytes, and what [policies](#policies) lists; in force within five seconds',
  },
  { name: 'DeleteBucketPolicy', method: 'DELETE', on: 'bucket', with: ['policy'], limits: 'by the owner of the bucket',
    answer: deletePolicy },
  { name: 'GetBucketPolicyStatus', method: 'GET', on: 'bucket', with: ['policyStatus'], answer: policyStatus },
]
