-- KEYS: any, so that it goes where that is. Returns which server this is, another after each restart.
return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
