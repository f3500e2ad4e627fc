-- keys, args: any. Returns how many there are, and the last ones.
--@include inbox
return inbox(function(keys, args)
  return #keys .. ' ' .. #args .. ' ' .. keys[#keys] .. ' ' .. args[#args]
end)
