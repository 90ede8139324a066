// Environment of a command: what Hadoop Streaming calls the facts of a task, by its present names and its old ones, beside the variables
// of the run. Pure. Identifiers have the shape of Hadoop's, with the ids of this cluster in them.

import { attemptParts } from '../../src/base/ids.ts'
import type { CommandNode } from '../../src/plan/node.ts'
import type { CommandInput } from '../../src/operator/commandrun.ts'
import type { TaskWork } from '../../src/protocol/task.ts'

/** PATH of commands, as on a usual system; a run may set another one. */
export const pathDefault = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

interface CommandFacts {
  readonly work: Pick<TaskWork, 'attempt' | 'job' | 'task' | 'user' | 'env' | 'params' | 'output'>
  readonly step: Pick<CommandNode, 'role' | 'fields'>
  /** Working directory. */
  readonly cwd: string
  /** Partitions of the shuffle; 0: there is none. */
  readonly reducers: number
  readonly input?: CommandInput | undefined
}

/** Variables of the run take precedence, but for TMPDIR. The working directory comes first in PATH, so that shipped programs are found. */
export function commandEnvironment({ work, step, cwd, reducers, input }: CommandFacts): Record<string, string> {
  const own = work.env ?? {}
  return {
    HOME: cwd, ...hadoopNames({ work, step, cwd, reducers, input }), ...own,
    PATH: `${cwd}:${own['PATH'] ?? pathDefault}`, PWD: cwd, TMPDIR: `${cwd}/tmp`,
  }
}

function hadoopNames({ work: { attempt, job, task, user, params }, step: { role, fields }, cwd, reducers, input }: CommandFacts) {
  const isMap = String(role === 'map')
  const letter = role === 'map' ? 'm' : 'r'
  const taskId = `task_${job}_${letter}_${String(task).padStart(6, '0')}`
  const attemptOf = `attempt_${taskId.slice('task_'.length)}_${attemptParts(attempt).attempt}`
  const inputs = [params['input']].flat().join(',')
  const output = String(params['output'])
  const separator = bytesText(fields.separator)
  const pairs: Array<readonly [value: string, ...names: string[]]> = [
    [job, 'mapreduce_job_id', 'mapred_job_id'], [taskId, 'mapreduce_task_id', 'mapred_tip_id'],
    [attemptOf, 'mapreduce_task_attempt_id', 'mapred_task_id'], [isMap, 'mapreduce_task_ismap', 'mapred_task_is_map'],
    [String(task), 'mapreduce_task_partition', 'mapred_task_partition'],
    [String(reducers), 'mapreduce_job_reduces', 'mapred_reduce_tasks'], [user, 'mapreduce_job_user_name', 'user_name'],
    [inputs, 'mapreduce_input_fileinputformat_inputdir', 'mapred_input_dir'],
    [output, 'mapreduce_output_fileoutputformat_outputdir', 'mapred_output_dir'],
    [cwd, 'mapreduce_job_local_dir', 'job_local_dir'],
    [separator, 'stream_map_output_field_separator'], [String(fields.keyFields), 'stream_num_map_output_key_fields'],
    [bytesText(fields.joiner), 'stream_reduce_input_field_separator'],
  ]
  if (input) {
    pairs.push(
      [input.path, 'mapreduce_map_input_file', 'map_input_file'], [String(input.start), 'mapreduce_map_input_start', 'map_input_start'],
      [String(input.length), 'mapreduce_map_input_length', 'map_input_length'],
    )
  }
  return Object.fromEntries(pairs.flatMap(([value, ...names]) => names.map(name => [name, value])))
}

/** Text of UTF-8 bytes, one character each. */
const bytesText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8')
