-- What a user's clientId gave: the first result, by the operation that it was of.

-- A repeated send's result. The same uid is the same call, sent again after its answer was
-- lost. Of another operation: the clientId was used before.
local function remembered(result, uid, operation)
  local kind, n, o, u, a = string.match(result, '^(%l?) ?(%d+) (%d+) (%S+) (%d+)$')
  if kind ~= operation then
    return {-1, 'reused', 0}
  end
  return {u == uid and 0 or 1, tonumber(n), tonumber(o), u, tonumber(a)}
end
