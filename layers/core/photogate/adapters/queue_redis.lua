-- The queue's state and every step between its states, atomically and on server time.
--
--   list      LIST of the ids of visible jobs; taken from the right, put in at the left
--   inflight  ZSET id -> when its visibility ends (ms)
--   delayed   ZSET id -> when it becomes visible (ms)
--   dead      ZSET id -> when it died (ms)
--   wake      LIST of hints on which workers block
--   job:<id>  HASH body, sent_ms, receives, serial, token, error
--
-- ARGV: operation, prefix of the job hashes, max receives, a test's clock (ms) or '', then the
-- operation's own.

local list, inflight, delayed, dead, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation, prefix, max_receives = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- All time comes from here: the server's, unless a test moves it.
local function now_ms()
    if ARGV[4] ~= '' then
        return tonumber(ARGV[4])
    end
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function job(id)
    return prefix .. id
end

local function hint()
    if redis.call('LLEN', wake) < 64 then
        redis.call('LPUSH', wake, '1')
    end
end

local function show(id)
    redis.call('LPUSH', list, id)
    hint()
end

-- A job leaves a worker's hands unfinished: it dies, waits, or is visible at once.
local function put_back(id, now, delay_ms)
    redis.call('ZREM', inflight, id)
    local receives = tonumber(redis.call('HGET', job(id), 'receives'))
    if not receives then
        redis.call('DEL', job(id))
        return
    end
    redis.call('HDEL', job(id), 'token')
    if receives >= max_receives then
        redis.call('ZADD', dead, now, id)
    elseif delay_ms > 0 then
        redis.call('ZADD', delayed, now + delay_ms, id)
    else
        show(id)
    end
end

local function reclaim(now)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 1000)) do
        redis.call('ZREM', delayed, id)
        show(id)
    end
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', inflight, '-inf', now, 'LIMIT', 0, 1000)) do
        redis.call('HSET', job(id), 'error', 'its worker did not answer in time')
        put_back(id, now, 0)
    end
end

-- The database has concluded these batches long ago, and keeps their errors.
local function bury(now)
    local long_ago = now - 14 * 24 * 3600 * 1000
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', dead, '-inf', long_ago, 'LIMIT', 0, 1000)) do
        redis.call('ZREM', dead, id)
        redis.call('DEL', job(id))
    end
end

local function current(id, token)
    return redis.call('HGET', job(id), 'token') == token
end

local operations = {}

function operations.send(id, body, delay_ms)
    if redis.call('EXISTS', job(id)) == 1 then
        return id  -- the client repeats a call whose answer it did not see
    end
    local now = now_ms()
    redis.call('HSET', job(id), 'body', body, 'sent_ms', now, 'receives', 0, 'serial', 0)
    if tonumber(delay_ms) > 0 then
        redis.call('ZADD', delayed, now + delay_ms, id)
    else
        show(id)
    end
    return id
end

function operations.receive(visibility_ms)
    local now = now_ms()
    reclaim(now)
    local id = redis.call('RPOP', list)
    while id and redis.call('EXISTS', job(id)) == 0 do
        id = redis.call('RPOP', list)
    end
    if not id then
        return false
    end
    local receives = redis.call('HINCRBY', job(id), 'receives', 1)
    local token = tostring(redis.call('HINCRBY', job(id), 'serial', 1))
    redis.call('HSET', job(id), 'token', token)
    redis.call('ZADD', inflight, now + visibility_ms, id)
    local fields = redis.call('HMGET', job(id), 'body', 'sent_ms')
    return {id, token, fields[1], receives, fields[2]}
end

function operations.extend(id, token, visibility_ms)
    if not current(id, token) then
        return 0
    end
    redis.call('ZADD', inflight, now_ms() + visibility_ms, id)
    return 1
end

function operations.ack(id, token)
    if not current(id, token) then
        return 0
    end
    redis.call('ZREM', inflight, id)
    redis.call('DEL', job(id))
    return 1
end

function operations.nack(id, token, delay_ms, reason)
    if not current(id, token) then
        return 0
    end
    redis.call('HSET', job(id), 'error', reason)
    put_back(id, now_ms(), tonumber(delay_ms))
    return 1
end

function operations.stats()
    local now = now_ms()
    reclaim(now)
    bury(now)
    return {
        redis.call('LLEN', list),
        redis.call('ZCARD', inflight),
        redis.call('ZCARD', delayed),
        redis.call('ZCARD', dead),
    }
end

function operations.dead(limit)
    local found = {}
    for _, id in ipairs(redis.call('ZRANGE', dead, 0, limit - 1)) do
        local fields = redis.call('HMGET', job(id), 'body', 'receives', 'error')
        if fields[1] then
            table.insert(found, {id, fields[1], fields[2], fields[3]})
        end
    end
    return found
end

function operations.redrive(limit)
    local redriven = 0
    for _, id in ipairs(redis.call('ZRANGE', dead, 0, limit - 1)) do
        redis.call('ZREM', dead, id)
        -- Its hash may have been evicted, against all advice.
        if redis.call('EXISTS', job(id)) == 1 then
            redis.call('HSET', job(id), 'receives', 0)
            show(id)
            redriven = redriven + 1
        end
    end
    return redriven
end

-- A portion, so that Redis answers others meanwhile.
function operations.purge(of, most)
    local ids
    if of == 'dead' then
        ids = redis.call('ZRANGE', dead, 0, most - 1)
    else
        ids = redis.call('LRANGE', list, -most, -1)
        if #ids == 0 then
            ids = redis.call('ZRANGE', delayed, 0, most - 1)
        else
            redis.call('LTRIM', list, 0, -#ids - 1)
        end
    end
    for _, id in ipairs(ids) do
        redis.call('ZREM', dead, id)
        redis.call('ZREM', delayed, id)
        redis.call('DEL', job(id))
    end
    return #ids
end

return operations[operation](ARGV[5], ARGV[6], ARGV[7], ARGV[8])
