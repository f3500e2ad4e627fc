using AspireRedis.Puppet.Contending;
using AspireRedis.Puppet.Holding;
using AspireRedis.Puppet.Regions;
using AspireRedis.Puppet.StreamWorkers;

// A process that tests start to kill or freeze it: `dotnet Puppet.dll COMMAND ARGUMENTS`; each command says what it takes.
switch (args)
{
    case ["lease", .. var rest]:
        await HoldingCommands.LeaseAsync(rest);
        break;
    case ["queue", .. var rest]:
        await HoldingCommands.QueueAsync(rest);
        break;
    case ["permits", .. var rest]:
        await HoldingCommands.PermitsAsync(rest);
        break;
    case ["consume", .. var rest]:
        await HoldingCommands.ConsumeAsync(rest);
        break;
    case ["child", .. var rest]:
        await HoldingCommands.ChildAsync(rest);
        break;
    case ["port"]:
        await HoldingCommands.PortAsync();
        break;
    case ["contend", .. var rest]:
        await ContendCommand.RunAsync(rest);
        break;
    case ["stream-worker", .. var rest]:
        await StreamWorkerCommand.RunAsync(rest);
        break;
    case ["partitions", .. var rest]:
        await PartitionWorkerCommand.RunAsync(rest);
        break;
    case ["region-operator", .. var rest]:
        return await RegionCommands.OperateAsync(rest);
    case ["region-agent", .. var rest]:
        await RegionCommands.AgentAsync(rest);
        break;
    default:
        Console.Error.WriteLine("lease | queue | permits | consume | child | port | contend | stream-worker | partitions | "
            + "region-operator | region-agent");
        return 2;
}
return 0;
