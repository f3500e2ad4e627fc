-- Names and values in turn. Those that are too many for one call (less than 8,000 values) become one field, in which each is
-- LENGTH:BYTES, (a netstring). The event id stays a field of its own, for what compares it.
local function pack_fields(fields)
  if #fields <= 4000 then return fields end
  local packed, parts = {}, {}
  for i = 1, #fields, 2 do
    if fields[i] == 'event_id' and #packed == 0 then
      packed = { 'event_id', fields[i + 1] }
    else
      for f = i, i + 1 do parts[#parts + 1] = #fields[f] .. ':' .. fields[f] .. ',' end
    end
  end
  packed[#packed + 1] = 'packed_fields'
  packed[#packed + 1] = table.concat(parts)
  return packed
end
