-- How long the keys of a room are kept: with its last member they all end, after a while;
-- whoever comes before that keeps them.

local function end_all(keys, seconds)
  for _, each in ipairs(keys) do
    -- What ends sooner by itself still does.
    redis.call('EXPIRE', each, seconds, 'LT')
  end
end

local function keep_all(keys)
  for _, each in ipairs(keys) do
    redis.call('PERSIST', each)
  end
end
