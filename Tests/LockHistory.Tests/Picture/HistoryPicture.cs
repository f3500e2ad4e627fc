using System.Globalization;
using System.Net;
using System.Text;
using AspireRedis.LockHistory.Checking;
using AspireRedis.Puppet.Contending;

namespace AspireRedis.LockHistory.Picture;

/// <summary>
/// A stretch of a history as SVG: for each resource a lane for each client process, in which a bar is a holder for as long
/// as it believed; faults of Redis go through all lanes, faults of a client through its own.
/// </summary>
public static class HistoryPicture
{
    private const double Left = 90;
    private const double Width = 1200;
    private const double Lane = 14;
    private const double Bar = 9;
    private const double Top = 66;
    private const double Gap = 26;
    private const double MinBar = 0.8;

    private static readonly string[] s_colours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];

    /// <param name="history">The whole history.</param>
    /// <param name="stretch">The part that is drawn.</param>
    /// <param name="title">Above it.</param>
    /// <param name="violation">Its attempts get a frame and their names.</param>
    public static string Draw(History history, Span stretch, string title, Violation? violation = null)
    {
        stretch = new Span(Math.Max(stretch.From, history.BeganAt), Math.Min(stretch.To, history.EndedAt));
        var slots = history.Processes.Select(p => p.Slot).Distinct().Order(StringComparer.Ordinal).ToArray();
        var resources = history.Resources.ToArray();
        var band = (slots.Length * Lane) + Gap;
        var bottom = Top + (resources.Length * band);
        var svg = new StringBuilder();
        Line($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Left + Width + 20:0} {bottom + 66:0}\" font-family=\"sans-serif\" font-size=\"11\">");
        Line($"<defs><pattern id=\"frozen\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path d=\"M0 0V5\" stroke=\"#777\" stroke-width=\"1.6\"/></pattern></defs>");
        Line($"<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
        Line($"<text x=\"{Left}\" y=\"18\" font-size=\"14\" font-weight=\"bold\">{Escape(title)}</text>");
        foreach (var fault in history.Faults.Where(f => new Span(f.BeganAt, f.SettledAt).Meets(stretch.From, stretch.To)))
        {
            DrawFault(fault);
        }
        for (var r = 0; r < resources.Length; r++)
        {
            Line($"<text x=\"4\" y=\"{Top + (r * band) - 4:0.#}\" font-weight=\"bold\">{Escape(resources[r])}</text>");
            for (var s = 0; s < slots.Length; s++)
            {
                DrawLane(resources[r], slots[s], s, Top + (r * band) + (s * Lane));
            }
        }
        DrawAxis();
        DrawLegend();
        Line($"</svg>");
        return svg.ToString();

        void DrawFault(RedisFault fault)
        {
            var (from, complete, settled) = (X(fault.BeganAt), X(fault.CompleteAt), X(fault.SettledAt));
            Line($"<path d=\"M{from:0.0} {Top - 18}H{complete:0.0}V{bottom - 14}H{from:0.0}z\" fill=\"#d00\" fill-opacity=\".10\"/>");
            Line($"<path d=\"M{complete:0.0} {Top - 18}H{settled:0.0}V{bottom - 14}H{complete:0.0}z\" fill=\"#d00\" fill-opacity=\".04\"/>");
            var outcome = fault.NewPrimary is null ? "" : $", new primary {fault.NewPrimary}";
            Line($"<text x=\"{Math.Max(from, Left) + 3:0.0}\" y=\"{Top - 22}\" fill=\"#a00\">{Escape(fault.What + outcome)}</text>");
        }

        void DrawLane(string resource, string slot, int index, double y)
        {
            var colour = s_colours[index % s_colours.Length];
            var middle = y + (Lane / 2);
            Line($"<text x=\"{Left - 6}\" y=\"{middle + 4:0.#}\" text-anchor=\"end\" fill=\"{colour}\">{Escape(slot)}</text>");
            Line($"<path d=\"M{Left} {middle:0.#}h{Width}\" stroke=\"#ddd\"/>");
            foreach (var process in history.Processes.Where(p => p.Slot == slot))
            {
                foreach (var freeze in process.Freezes.Where(f => f.Meets(stretch.From, stretch.To)))
                {
                    Line($"<rect x=\"{X(freeze.From):0.0}\" y=\"{y:0.#}\" width=\"{X(freeze.To) - X(freeze.From):0.0}\" height=\"{Lane}\" fill=\"url(#frozen)\" fill-opacity=\".55\"/>");
                }
            }
            var attempts = history.Attempts.Where(a => a.Resource == resource && a.Process.Slot == slot).ToArray();
            var bars = new StringBuilder();
            foreach (var attempt in attempts.Where(a => a.HasBelieved
                && new Span(a.AcquiredAt, a.BelievesUntil).Meets(stretch.From, stretch.To)).OrderBy(a => a.AcquiredAt))
            {
                var (from, to) = (X(attempt.AcquiredAt), X(attempt.BelievesUntil));
                bars.Append(CultureInfo.InvariantCulture, $"M{from:0.0} {middle:0.#}h{Math.Max(MinBar, to - from):0.0}");
                if (violation is not null && violation.By.Contains(attempt))
                {
                    Line($"<rect x=\"{from - 1:0.0}\" y=\"{y:0.#}\" width=\"{Math.Max(MinBar, to - from) + 2:0.0}\" height=\"{Lane}\" fill=\"none\" stroke=\"#d00\" stroke-width=\"2\"/>");
                    Line($"<text x=\"{from:0.0}\" y=\"{y - 2:0.#}\" fill=\"#d00\">{Escape(attempt.ToString())}</text>");
                }
            }
            Line($"<path d=\"{bars}\" stroke=\"{colour}\" stroke-width=\"{Bar}\" fill=\"none\"/>");
            foreach (var refused in attempts.SelectMany(a => a.Writes)
                .Where(w => w.Outcome == HistoryEventKind.WriteRefused && stretch.Meets(w.ReturnedAt, w.ReturnedAt)))
            {
                Line($"<path d=\"M{X(refused.ReturnedAt):0.0} {middle - 6:0.#}v12\" stroke=\"#d00\" stroke-width=\"1.6\"/>");
            }
            foreach (var dead in history.Processes.Where(p => p.Slot == slot && stretch.Meets(p.KilledAt, p.KilledAt)))
            {
                Line($"<path d=\"M{X(dead.KilledAt) - 4:0.0} {middle - 4:0.#}l8 8m0 -8l-8 8\" stroke=\"#000\" stroke-width=\"2\"/>");
            }
        }

        void DrawAxis()
        {
            var seconds = (stretch.To - stretch.From) / 1e9;
            var step = new[] { 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20,
                60 }.FirstOrDefault(s => seconds / s <= 15, 120);
            for (var at = Math.Ceiling(
                (stretch.From - history.BeganAt) / 1e9 / step) * step; at * 1e9 <= stretch.To - history.BeganAt; at += step)
            {
                var x = X(history.BeganAt + (long)(at * 1e9));
                Line($"<path d=\"M{x:0.0} {Top - 14}V{bottom - 10}\" stroke=\"#000\" stroke-opacity=\".12\"/><text x=\"{x:0.0}\" y=\"{bottom + 4:0.#}\" text-anchor=\"middle\">{at:0.###} s</text>");
            }
        }

        void DrawLegend()
        {
            var y = bottom + 26;
            Line($"<path d=\"M{Left} {y - 4:0.#}h24\" stroke=\"{s_colours[0]}\" stroke-width=\"{Bar}\"/><text x=\"{Left + 30}\" y=\"{y:0.#}\">holds and believes it (a colour a process)</text>");
            Line($"<rect x=\"{Left + 260}\" y=\"{y - 12:0.#}\" width=\"24\" height=\"{Lane}\" fill=\"url(#frozen)\" fill-opacity=\".55\"/><text x=\"{Left + 290}\" y=\"{y:0.#}\">process frozen (SIGSTOP)</text>");
            Line($"<path d=\"M{Left + 446} {y - 8:0.#}l8 8m0 -8l-8 8\" stroke=\"#000\" stroke-width=\"2\"/><text x=\"{Left + 460}\" y=\"{y:0.#}\">process killed</text>");
            Line($"<path d=\"M{Left + 556} {y - 10:0.#}v12\" stroke=\"#d00\" stroke-width=\"1.6\"/><text x=\"{Left + 564}\" y=\"{y:0.#}\">write refused: stale fencing token</text>");
            Line($"<rect x=\"{Left + 760}\" y=\"{y - 12:0.#}\" width=\"24\" height=\"{Lane}\" fill=\"#d00\" fill-opacity=\".12\"/><text x=\"{Left + 790}\" y=\"{y:0.#}\">Redis: fault until complete again (fainter: until every client had a turn)</text>");
        }

        double X(long at) => Left + (Width * (Math.Clamp(at, stretch.From, stretch.To) - stretch.From) / (stretch.To - stretch.From));

        void Line(FormattableString line) => svg.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
