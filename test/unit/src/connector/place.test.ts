// Names of places outside of the cluster in lineage: nothing that may be a secret, and those of OpenLineage.

import { expect, test } from 'vitest'
import { placeName } from '../../../../src/connector/place.ts'

test.each([
  ['postgres://ada:hunter2@db.example:5433/shop/orders', 'postgres://db.example:5433/shop/public.orders', 'postgres://db.example:5433', 'shop.public.orders'],
  ['postgresql:///shop/sales.orders', 'postgres:///shop/sales.orders', 'postgres://localhost:5432', 'shop.sales.orders'],
  ['kafka://one,two:9093/clicks?from=17&registry=http://r:8081', 'kafka://one,two:9093/clicks', 'kafka://one:9092', 'clicks'],
  ['s3://bucket/day/a?b#c.csv', 's3://bucket/day/a?b#c.csv', 's3://bucket', 'day/a?b#c.csv'],
  ['s3://bucket', 's3://bucket/', 's3://bucket', '/'],
  ['https://ada:hunter2@host/a/b.csv?sig=hunter2', 'https://host/a/b.csv', 'https://host', '/a/b.csv'],
])('%s', (url, shown, namespace, name) => {
  expect(placeName(url)).toEqual({ shown, namespace, name })
})

test('its shown form is a name of the same place', () => {
  for (const url of ['postgres://ada@h:5433/d/t', 'kafka://h/t?from=1', 's3://bucket/k?x', 'http://h:80/a%20b'])
    expect(placeName(placeName(url).shown)).toEqual(placeName(url))
})
