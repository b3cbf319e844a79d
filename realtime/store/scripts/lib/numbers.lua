-- Numbers and time as they are stored.

-- Lua writes large numbers as 1e+14; JSON readers and our own want digits.
local function digits(number)
  return string.format('%.0f', number)
end

-- Redis's clock in Unix ms.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
