-- Compares entry ids, as text: a sequence number may have more digits than a Lua number can hold.
local function digits_before(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end
local function id_before(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return digits_before(a_ms, b_ms) end
  return digits_before(a_seq, b_seq)
end
-- Converts alternating names and values, as XINFO returns them, to a table. Nulls are left out.
local function fields_of(list)
  local fields = {}
  for i = 1, #list, 2 do fields[list[i]] = list[i + 1] end
  return fields
end
