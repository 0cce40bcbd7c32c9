-- The gate that one writes in Lua when there is no module: what the state
-- allows, a place in flight, and a token bucket, in a shared dictionary.  As
-- lua-resty-limit-traffic does it, without its objects.

local dict = ngx.shared.gate
local now = ngx.now

local RATE = 1000000        -- a second
local BURST = 200000
local PLACES = 10000

local _M = {}


function _M.enter()
    local phase = dict:get("kv:phase")

    if phase == "down" then
        return ngx.exit(503)
    end

    local places = dict:incr("kv:in_flight", 1, 0)

    if places > PLACES then
        dict:incr("kv:in_flight", -1)
        return ngx.exit(503)
    end

    local t = now()
    local last = dict:get("kv:last") or t
    local excess = (dict:get("kv:excess") or 0) - RATE * (t - last) + 1

    if excess > BURST then
        dict:incr("kv:in_flight", -1)
        return ngx.exit(503)
    end

    dict:set("kv:excess", excess > 0 and excess or 0)
    dict:set("kv:last", t)

    ngx.ctx.entered = true
end


function _M.leave()
    if ngx.ctx.entered then
        dict:incr("kv:in_flight", -1)
    end
end


return _M
