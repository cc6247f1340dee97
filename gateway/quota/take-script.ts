import { createHash } from 'node:crypto'

/**
 * Judges and takes in one step, by Redis' own clock: replicas need not agree on theirs. One hash for each contract has the
 * tokens, when they were counted, and a field for each day.
 *
 * ARGV: calls in a second and in a day (0: any number); then what the replica knows of a day: which, how many calls Redis
 * had of it (it may have lost them), and how many passed while Redis was away; then 1 to look only, and leave all as it is.
 * Gives the clause that is used up or '', seconds to wait, the day, its calls, and the tokens that are there.
 */
export const TAKE = `
local now = redis.call('TIME')
local seconds = tonumber(now[1])
local at = seconds * 1000 + math.floor(tonumber(now[2]) / 1000)
local day = math.floor(seconds / 86400)
local perSecond, perDay = tonumber(ARGV[1]), tonumber(ARGV[2])
local field = 'd' .. day
local count = tonumber(redis.call('HGET', KEYS[1], field) or 0)
if tonumber(ARGV[3]) == day then
  count = math.max(count, tonumber(ARGV[4])) + tonumber(ARGV[5])
end
local tokens = perSecond
if perSecond > 0 then
  local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
  if held[1] and held[2] then
    local elapsed = math.max(0, at - tonumber(held[2]))
    tokens = math.min(perSecond, tonumber(held[1]) + elapsed * perSecond / 1000)
  end
end
local clause, wait = '', 0
local there = math.floor(tokens)
if perDay > 0 and count >= perDay then
  clause, wait = 'perDay', 86400 - seconds % 86400
elseif perSecond > 0 and tokens < 1 then
  clause, wait = 'perSecond', math.max(1, math.ceil((1 - tokens) / perSecond))
end
if ARGV[6] == '1' then return {clause, wait, day, count, there} end
if clause == '' then
  tokens = tokens - 1
  count = count + 1
end
if perSecond > 0 then redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(at)) end
if perDay > 0 then
  redis.call('HSET', KEYS[1], field, count)
  redis.call('HDEL', KEYS[1], 'd' .. (day - 2))
  redis.call('EXPIRE', KEYS[1], 172800)
else
  redis.call('EXPIRE', KEYS[1], 10)
end
return {clause, wait, day, count, there}
`

/** As EVALSHA names it. */
export const TAKE_SHA = createHash('sha1').update(TAKE).digest('hex')
