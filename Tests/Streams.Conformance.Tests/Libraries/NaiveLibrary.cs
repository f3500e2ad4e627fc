using System.Globalization;
using StackExchange.Redis;

namespace AspireRedis.Streams.Conformance.Libraries;

/// <summary>
/// A textbook loop of XREADGROUP and XACK with StackExchange.Redis, polling, with flaws of choice. It shows that the
/// cases can fail, and that each fails for its reason: without its flaw the loop passes.
/// </summary>
public sealed class NaiveLibrary(Flaws flaws) : IConsumerLibrary
{
    public string Name => $"naive:{flaws:D}";

    public NameValueEntry[] Undecodable => [new("number", "not a number")];

    public NameValueEntry[] Encode(int number) => [new("number", number)];

    public IConsumerInstance Start(InstanceSettings settings, Func<Delivery, CancellationToken, Task> handler)
        => new Instance(Has(Flaws.OneGroupForAll) ? settings with { Group = "all" } : settings, flaws, handler);

    public async Task<IReadOnlyList<string>> DeadLettersAsync(IDatabase database, string stream, string group)
        => [.. (await database.StreamRangeAsync($"{stream}:{group}:dead")).Select(e => (string)e["id"]!)];

    private bool Has(Flaws flaw) => flaws.HasFlag(flaw);

    private sealed class Instance : IConsumerInstance
    {
        private const int Batch = 10;
        private const int ClaimBatch = 100;

        private readonly InstanceSettings _settings;
        private readonly Flaws _flaws;
        private readonly Func<Delivery, CancellationToken, Task> _handler;
        private readonly CancellationTokenSource _stopping = new();
        private readonly SemaphoreSlim _room;
        private readonly List<Task> _handling = [];
        private readonly Task _running;
        private string _cursor = "0-0";
        private string _last = "0-0";

        public Instance(InstanceSettings settings, Flaws flaws, Func<Delivery, CancellationToken, Task> handler)
        {
            (_settings, _flaws, _handler) = (settings, flaws, handler);
            _room = new SemaphoreSlim(Has(Flaws.OneAtATime) ? 1 : settings.Concurrency);
            _running = Task.Run(RunAsync);
        }

        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _running;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _stopping.Dispose();
        }

        private bool Has(Flaws flaw) => _flaws.HasFlag(flaw);

        private async Task RunAsync()
        {
            var options = ConfigurationOptions.Parse(_settings.ConnectionString);
            options.AbortOnConnectFail = false;
            options.ReconnectRetryPolicy = new LinearRetry(200);
            await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
            var database = connection.GetDatabase();
            var hasGroup = false;
            while (!_stopping.IsCancellationRequested)
            {
                try
                {
                    if (!hasGroup || !Has(Flaws.CreatesTheGroupOnce))
                    {
                        await CreateGroupAsync(database);
                        hasGroup = true;
                    }
                    if (!Has(Flaws.ForgetsItsOwn))
                    {
                        await ResumeAsync(database);
                    }
                    await ReadAsync(database);
                }
                catch (Exception) when (!Has(Flaws.EndsAtErrors))
                {
                    await Task.Delay(100);
                }
                catch (Exception)
                {
                    break;
                }
            }
            await Task.WhenAll(_handling);
        }

        private async Task CreateGroupAsync(IDatabase database)
        {
            try
            {
                await database.StreamCreateConsumerGroupAsync(_settings.Stream, _settings.Group, Has(Flaws.BeginsAtTheEnd) ? "$" : "0");
            }
            catch (RedisServerException e) when (e.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
            {
                // It exists.
            }
        }

        /// <summary>What is pending under the own name, from an earlier life.</summary>
        private async Task ResumeAsync(IDatabase database)
        {
            RedisValue after = "0-0";
            while (!_stopping.IsCancellationRequested)
            {
                var entries = await database.StreamReadGroupAsync(_settings.Stream, _settings.Group, _settings.Consumer, after, Batch);
                if (entries.Length == 0)
                {
                    return;
                }
                if (!Has(Flaws.SkipsTrimmedEntries))
                {
                    after = entries[^1].Id;
                    foreach (var trimmed in entries.Where(WasTrimmed))
                    {
                        await database.StreamAcknowledgeAsync(_settings.Stream, _settings.Group, trimmed.Id);
                    }
                }
                await HandleAsync(database, entries.Where(e => !WasTrimmed(e)), waitForAll: true);
            }
        }

        private static bool WasTrimmed(StreamEntry entry) => entry.Values is null or [];

        private async Task ReadAsync(IDatabase database)
        {
            var claimed = DateTime.MinValue;
            while (!_stopping.IsCancellationRequested)
            {
                if (!Has(Flaws.NeverClaims) && DateTime.UtcNow - claimed > _settings.Idle / 3)
                {
                    claimed = DateTime.UtcNow;
                    await ClaimAsync(database);
                }
                var entries = Has(Flaws.SharesNothing)
                    ? await database.StreamReadAsync(_settings.Stream, _last, Batch)
                    : await database.StreamReadGroupAsync(_settings.Stream, _settings.Group, _settings.Consumer, ">", Batch);
                if (entries.Length == 0)
                {
                    await Task.Delay(20);
                    continue;
                }
                _last = entries[^1].Id!;
                await HandleAsync(database, entries, waitForAll: false);
            }
        }

        private async Task ClaimAsync(IDatabase database)
        {
            do
            {
                var claimed = await database.StreamAutoClaimAsync(_settings.Stream, _settings.Group, _settings.Consumer,
                    (long)_settings.Idle.TotalMilliseconds, Has(Flaws.ClaimsFromTheStart) ? "0-0" : _cursor, ClaimBatch);
                _cursor = claimed.NextStartId!;
                await HandleAsync(database, claimed.ClaimedEntries, waitForAll: false);
            }
            while (_cursor != "0-0" && !Has(Flaws.ClaimsFromTheStart));
        }

        private async Task HandleAsync(IDatabase database, IEnumerable<StreamEntry> entries, bool waitForAll)
        {
            foreach (var entry in entries)
            {
                try
                {
                    await _room.WaitAsync(_stopping.Token);
                }
                catch (OperationCanceledException)
                {
                    // It stays pending.
                    return;
                }
                _handling.RemoveAll(h => h.IsCompletedSuccessfully);
                _handling.Add(HandleAsync(database, entry));
            }
            if (waitForAll)
            {
                await Task.WhenAll(_handling);
            }
        }

        private async Task HandleAsync(IDatabase database, StreamEntry entry)
        {
            try
            {
                await Task.Yield();
                if (Has(Flaws.AcknowledgesFirst))
                {
                    await AcknowledgeAsync(database, entry);
                }
                if (!int.TryParse((string?)entry["number"], CultureInfo.InvariantCulture, out var number))
                {
                    await GiveUpAsync(database, entry);
                    return;
                }
                while (!await TryHandleAsync(new Delivery(number, entry.Id!)))
                {
                    if (!Has(Flaws.RetriesInPlace) || _stopping.IsCancellationRequested)
                    {
                        await HasFailedAsync(database, entry);
                        return;
                    }
                    await Task.Delay(100);
                }
                if (!Has(Flaws.StopsBeforeAcknowledging) || !_stopping.IsCancellationRequested)
                {
                    await AcknowledgeAsync(database, entry);
                }
            }
            catch (Exception)
            {
                // No acknowledgement: it comes again.
            }
            finally
            {
                _room.Release();
            }
        }

        private async Task<bool> TryHandleAsync(Delivery delivery)
        {
            try
            {
                await _handler(delivery, CancellationToken.None);
                return true;
            }
            catch (Exception)
            {
                return false;
            }
        }

        private async Task HasFailedAsync(IDatabase database, StreamEntry entry)
        {
            if (Has(Flaws.RequeuesInTwoSteps))
            {
                await AcknowledgeAsync(database, entry);
                await database.StreamAddAsync(_settings.Stream, entry.Values);
                return;
            }
            var pending = await database.StreamPendingMessagesAsync(_settings.Stream, _settings.Group, 1, default, entry.Id, entry.Id);
            if (pending.Length > 0 && pending[0].DeliveryCount >= _settings.MaxDeliveries)
            {
                await GiveUpAsync(database, entry);
            }
        }

        private async Task GiveUpAsync(IDatabase database, StreamEntry entry)
        {
            if (Has(Flaws.NoDeadLetters))
            {
                return;
            }
            var transaction = database.CreateTransaction();
            _ = transaction.StreamAddAsync($"{_settings.Stream}:{_settings.Group}:dead", "id", entry.Id);
            _ = transaction.StreamAcknowledgeAsync(_settings.Stream, _settings.Group, entry.Id);
            await transaction.ExecuteAsync();
        }

        private Task<long> AcknowledgeAsync(IDatabase database, StreamEntry entry)
            => database.StreamAcknowledgeAsync(_settings.Stream, _settings.Group, entry.Id);
    }
}
