// Options and settings of Hadoop Streaming in the words of `gristmill stream`.

import { expect, test } from 'vitest'
import { asHadoopWords, settingsOf } from '../../../../../client/cli/jobs/hadoop.ts'

const translated = (line: string): string => asHadoopWords(line.split(' ')).join(' ')

test.each([
  ['-input a,b -output o -mapper m -reducer r', '--input=a --input=b --output=o --map=m --reduce=r'],
  ['-mapper m -input a -output o', '--map=m --input=a --output=o --reducers=1'],
  ['-mapper m -numReduceTasks 0', '--map=m --reducers=0'],
  ['-mapper m -reducer NONE', '--map=m --reducers=0'],
  ['-mapper m -D mapred.reduce.tasks=0', '--map=m --define=mapred.reduce.tasks=0'],
  ['-Dmapreduce.job.reduces=3 -mapper m', '--define=mapreduce.job.reduces=3 --map=m'],
  ['-files x,hello/y#z -file w -cmdenv A=b -jobconf c=d -reducer r', '--file=x --file=hello/y#z --file=w --env=A=b --define=c=d --reduce=r'],
  ['-files file:///x -reducer r', '--file=/x --reduce=r'],
  ['-mapper org.apache.hadoop.mapred.lib.IdentityMapper -reducer /bin/wc', '--reduce=/bin/wc'],
  ['-mapper m -reducer org.apache.hadoop.mapred.lib.IdentityReducer -numReduceTasks 2', '--map=m --reducers=2'],
  ['-mapper m -reducer org.apache.hadoop.mapred.lib.IdentityReducer', '--map=m --reducers=1'],
  ['-inputformat org.apache.hadoop.mapred.TextInputFormat -outputformat TextOutputFormat -verbose -background -reducer r', '--detach --reduce=r'],
  ['-partitioner org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner -reducer -x', '--reduce=-x'],
  // Words of ours stay, also values that look like options of Hadoop.
  ['-i /a -o /b --map -mapper --shell --detach', '-i /a -o /b --map -mapper --shell --detach'],
])('%s', (line, expected) => {
  expect(translated(line)).toBe(expected)
})

test('what cannot be translated is refused with what to do', () => {
  expect(() => translated('-libjars x.jar')).toThrow('-libjars is no option of stream; Java classes cannot be run here; give commands')
  expect(() => translated('-archives x.tgz')).toThrow('send the files along one by one')
  expect(() => translated('-mapper org.apache.hadoop.mapred.lib.RegexMapper')).toThrow('a Java class cannot be run here; give a command')
  expect(() => translated('-inputformat SequenceFileInputFormat')).toThrow('-inputformat SequenceFileInputFormat is not supported; supported: TextInputFormat')
  expect(() => translated('-mapper')).toThrow('-mapper needs a value')
  expect(() => settingsOf([['mapred.reduce.tasks', 'many']])).toThrow('the value must be a whole number')
  expect(() => settingsOf([['mapred.text.key.partitioner.options', '-k2,3']])).toThrow('whole fields from the first one are: -k1,2')
  expect(() => settingsOf([['mapred.output.key.comparator.class', 'my.Comparator']])).toThrow('supported: KeyFieldBasedComparator')
})

test('settings become options, and all of them variables', () => {
  expect(settingsOf([
    ['stream.map.output.field.separator', '.'], ['stream.num.map.output.key.fields', '4'], ['num.key.fields.for.partition', '2'],
    ['mapred.job.name', 'sorted'], ['my-own.setting', 'x=y'],
  ])).toEqual({
    fieldSeparator: '.', reduceSeparator: '\t', keyFields: 4, partitionFields: 2, name: 'sorted',
    environment: {
      stream_map_output_field_separator: '.', stream_num_map_output_key_fields: '4', num_key_fields_for_partition: '2',
      mapred_job_name: 'sorted', my_own_setting: 'x=y',
    },
  })
  const of = (value: string): unknown => settingsOf([['mapreduce.partition.keycomparator.options', value]]).order
  expect([of('-k2,2nr'), of('-nr'), of('-k1,1 -k2n'), of('-k1,1 -k2,2 -r')]).toEqual([['2,2nr'], ['1nr'], ['1,1', '2n'], ['1,1r', '2,2r']])
  expect(settingsOf([['stream.reduce.input.field.separator', '='], ['stream.map.output.field.separator', '.']]))
    .toMatchObject({ fieldSeparator: '.', reduceSeparator: '=' })
})
