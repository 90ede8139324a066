// Records of committed transactions among those that a broker has sent, by the list of aborted transactions that it sends with them: a
// record belongs to an aborted one if its producer has one that began at or before it, and has not ended it by a marker since. Pure.

import type { KafkaFetched, KafkaRecord } from '../../ports/kafka.ts'

/** In order of their offsets. */
export function committedIn({ batches, aborted }: Pick<KafkaFetched, 'batches' | 'aborted'>): KafkaRecord[] {
  const ahead = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const open = new Set<bigint>()
  const found: KafkaRecord[] = []
  let next = 0
  for (const { lastOffset, producerId, isTransactional, marker, records } of batches) {
    while (next < ahead.length && ahead[next]!.firstOffset <= lastOffset) open.add(ahead[next++]!.producerId)
    if (marker !== undefined) {
      if (marker === 'abort') open.delete(producerId)
    } else if (!isTransactional || !open.has(producerId)) {
      for (const record of records) found.push(record)
    }
  }
  return found
}
