-- What a user's clientId gave: the first result, by the operation that it was of.

-- A repeated send's result. The same uid is the same call, sent again after its answer was
-- lost. Of another operation, or by the fingerprint of another request: the clientId was
-- used before.
local function remembered(result, uid, operation, fingerprint)
  local kind, n, o, u, a, known =
    string.match(result, '^(%l?) ?(%d+) (%d+) (%S+) (%d+) ?(%x*)$')
  if kind ~= operation or (fingerprint ~= '' and known ~= '' and fingerprint ~= known) then
    return {-1, 'reused', 0}
  end
  return {u == uid and 0 or 1, tonumber(n), tonumber(o), u, tonumber(a)}
end

-- What is remembered of a request: its result, and what tells it from others.
local function with_fingerprint(result, fingerprint)
  return fingerprint == '' and result or result .. ' ' .. fingerprint
end
