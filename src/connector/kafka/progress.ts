// Progress of the export of each token, in the topic `_gristmill_commits` of the destination's cluster: a record {token, part, rows,
// done} under the key [topic, id of the topic, token], written in the same transaction as the rows that it counts. The topic is compacted,
// so that the last record of each token stays for good. Tokens of one topic have records of their own: content that was exported once
// counts as exported, whatever was exported between; a topic that was deleted and created again has none.
// All records are in the first partition: one that is added later changes nothing. An export has a record in an open transaction only for
// the time of its commit.

import { GristmillError } from '../../base/errors.ts'
import type { KafkaClient, KafkaMessage } from '../../ports/kafka.ts'
import type { Clock } from '../../ports/clock.ts'
import { committedIn } from './committed.ts'

export const progressTopic = '_gristmill_commits'

export interface ExportProgress {
  readonly token: string
  /** Rows of the files before `part` are there, and the first `rows` of it. */
  readonly part: string
  readonly rows: number
  /** All rows are there. */
  readonly done: boolean
}

/** Segments of a few MiB, and not the 1 GiB of a broker: a segment that is written is not compacted. */
const topicConfig = { 'cleanup.policy': 'compact', 'segment.bytes': String(8 * 1024 * 1024) }
const fetchBytes = 1024 * 1024
/** Another export's transaction lies before the end: it ends within its time limit, 60 s here, 15 minutes at most for others. */
const openWaitMs = 16 * 60_000
const openPauseMs = 200

interface ProgressDeps {
  readonly client: KafkaClient
  readonly clock: Pick<Clock, 'mono' | 'sleep'>
}

interface ProgressOf {
  readonly topic: string
  readonly id: string
  readonly token: string
  readonly signal?: AbortSignal | undefined
}

const keyOf = ({ topic, id, token }: ProgressOf): Buffer => Buffer.from(JSON.stringify([topic, id, token]))

/** Creates the topic if it is not there. */
export async function prepareProgress(client: KafkaClient): Promise<void> {
  if (await client.topic(progressTopic)) return
  await client.createTopic(progressTopic, { partitions: 1, config: topicConfig })
  if (!await client.topic(progressTopic))
    throw new GristmillError('UNAVAILABLE', `the topic ${progressTopic} was created, and is not there yet`)
}

export const progressMessage = (of: ProgressOf, progress: ExportProgress): KafkaMessage =>
  ({ topic: progressTopic, partition: 0, key: keyOf(of), value: Buffer.from(JSON.stringify(progress)) })

/**
 * The last record of the token. REQUIRES: earlier writers of the token are fenced. Records that are committed lie behind the last stable
 * offset while a transaction of another destination is open before them: it is waited for.
 */
export async function readProgress({ client, clock }: ProgressDeps, of: ProgressOf): Promise<ExportProgress | undefined> {
  const topic = await client.topic(progressTopic)
  if (!topic) return undefined
  const key = keyOf(of)
  const end = (await client.offsets(progressTopic, 'end'))[0] ?? 0
  const untilMs = clock.mono() + openWaitMs
  for (;;) {
    const stable = (await client.offsets(progressTopic, 'stable'))[0] ?? 0
    if (stable >= end) break
    if (clock.mono() > untilMs)
      throw new GristmillError('UNAVAILABLE', `a transaction of another writer of ${progressTopic} has been open for too long`)
    await clock.sleep(openPauseMs, of.signal)
  }
  let found: ExportProgress | undefined
  let offset = (await client.offsets(progressTopic, 'beginning'))[0] ?? 0
  while (offset < end) {
    const fetched = await client.read({ topic: progressTopic, id: topic.id, partition: 0, offset, bytesMax: fetchBytes })
    const last = fetched.batches.at(-1)
    // To take it for the end would send rows again that are there.
    if (!last)
      throw new GristmillError('UNAVAILABLE', `the broker has sent nothing of ${progressTopic} from offset ${offset} on; its end is ${end}`)
    for (const record of committedIn(fetched))
      if (record.offset >= offset && record.value && record.key && key.equals(record.key))
        found = JSON.parse(Buffer.from(record.value).toString('utf8')) as ExportProgress
    offset = last.lastOffset + 1
  }
  return found
}
