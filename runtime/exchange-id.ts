/** A UUID of version 7 (RFC 9562 §5.7): ordered by time, so that an index of them grows at one end. */
export function newExchangeId(now: Date): string {
  const time = now.getTime().toString(16).padStart(12, '0')
  // Variant and random bits stand where version 4 has them.
  const random = crypto.randomUUID()
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`
}
