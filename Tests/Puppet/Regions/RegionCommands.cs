using System.Diagnostics;
using AspireRedis.Client;
using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireRedis.Puppet.Regions;

/// <summary>
/// What works on regions, and ends itself by SIGKILL behind a step: nothing runs any more, no finally and no answer to come.
/// </summary>
internal static class RegionCommands
{
    /// <summary><c>CONFIGURATION STEP switch|promote|failback REGION [FILE]</c>: an operation.</summary>
    /// <returns>0 when it ended, so that the step did not come; 1 when it was refused, which is printed.</returns>
    public static async Task<int> OperateAsync(string[] arguments)
    {
        await using var operation = new RegionOperator(Read(arguments[0]), TimeProvider.System, NullLogger.Instance)
        {
            StepDone = DieBehind(arguments[1]),
        };
        try
        {
            await (arguments[2] switch
            {
                "switch" => operation.SwitchAsync(arguments[3]),
                "promote" => operation.PromoteAsync(arguments[3]),
                "failback" => operation.FailbackAsync(arguments[3], arguments[4]),
                var other => (Task)Task.FromException(new ArgumentException($"There is no operation '{other}'.")),
            });
            return 0;
        }
        catch (RegionException e)
        {
            Console.WriteLine(e.Message);
            return 1;
        }
    }

    /// <summary><c>CONFIGURATION STEP</c>: an agent.</summary>
    public static async Task AgentAsync(string[] arguments)
    {
        await using var agent = new RegionAgent(Read(arguments[0]));
        agent.Operator.StepDone = DieBehind(arguments[1]);
        await agent.StartAsync(CancellationToken.None);
        await Task.Delay(Timeout.Infinite);
    }

    private static Action<string> DieBehind(string step) => done =>
    {
        if (done == step)
        {
            using var self = Process.GetCurrentProcess();
            self.Kill();
            // It comes from another process for all that the runtime knows.
            Thread.Sleep(Timeout.Infinite);
        }
    };

    private static RegionOptions Read(string path)
    {
        var options = new RegionOptions();
        options.Bind(new ConfigurationBuilder().AddJsonFile(path).Build());
        return options;
    }
}
