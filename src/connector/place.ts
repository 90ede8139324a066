// Name of a place outside of the cluster, as lineage shows it: without user, password, options and anything else that may be a secret.

import { shownUrl } from '../base/url.ts'
import { topicAddressOf, isKafka } from './kafka/address.ts'
import { locationOf } from './location.ts'
import { isPostgres, tableAddressOf } from './postgres/names.ts'

interface PlaceName {
  /** The address. */
  readonly shown: string
  /** Names of OpenLineage: of the system (https://openlineage.io/docs/spec/naming), and of the data set in it. */
  readonly namespace: string
  readonly name: string
}

const portDefault = 5432

/** Throws EINVAL for what is no address of a place. */
export function placeName(url: string): PlaceName {
  if (isPostgres(url)) {
    const { server: { host = 'localhost', port = portDefault, database }, schema, table, shown } = tableAddressOf(url)
    return { shown, namespace: `postgres://${host}:${port}`, name: `${database}.${schema}.${table}` }
  }
  if (isKafka(url)) {
    const { brokers, topic, shown } = topicAddressOf(url)
    return { shown, namespace: `kafka://${brokers[0]}`, name: topic }
  }
  const location = locationOf(url)
  if (location.kind === 's3') {
    const { bucket, key } = location
    return { shown: `s3://${bucket}/${key}`, namespace: `s3://${bucket}`, name: key === '' ? '/' : key }
  }
  const { protocol, host, pathname } = new URL(location.url)
  return { shown: shownUrl(location.url), namespace: `${protocol}//${host}`, name: pathname }
}
