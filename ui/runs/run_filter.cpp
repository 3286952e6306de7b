#include "ui/runs/run_filter.h"

#include "kernels/base/text.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

namespace millrace::ui {

using namespace Qt::StringLiterals;

enum class Sign
{
    Equal,
    NotEqual,
    Contains,
    Greater,
    GreaterEqual,
    Less,
    LessEqual
};
enum class Field
{
    Anywhere,
    Metric,
    Param,
    Name,
    Id,
    State,
    Pipeline,
    Target,
    Experiment,
    Seconds
};

struct RunFilter::Node
{
    enum class Kind
    {
        All,
        Any,
        Not,
        Test
    } kind = Kind::Test;
    std::vector<std::unique_ptr<Node>> children;
    Field field = Field::Anywhere;
    QString name; ///< of the metric or parameter
    Sign sign = Sign::Contains;
    QString text;
    double number = kNoNumber; ///< where the text is a number
};

namespace {

using NodePtr = std::unique_ptr<RunFilter::Node>;
using Kind = RunFilter::Node::Kind;

struct Words
{
    Q_DECLARE_TR_FUNCTIONS(millrace::ui::RunFilter)
};

Error wrong(const QString& message)
{
    return makeError(Code::InvalidArgument, message.toStdString());
}

struct Token
{
    enum class Kind
    {
        Word,
        Quoted,
        Sign,
        Open,
        Close,
        End
    } kind = Kind::End;
    QString text;
};

bool isSignCharacter(QChar c)
{
    return c == u'>' || c == u'<' || c == u'=' || c == u'!' || c == u'~';
}

Result<std::vector<Token>> tokensOf(const QString& text)
{
    std::vector<Token> tokens;
    qsizetype at = 0;
    while (at < text.size()) {
        const QChar c = text[at];
        if (c.isSpace()) {
            ++at;
        } else if (c == u'(' || c == u')') {
            tokens.push_back({c == u'(' ? Token::Kind::Open : Token::Kind::Close, QString(c)});
            ++at;
        } else if (c == u'"') {
            const qsizetype end = text.indexOf(u'"', at + 1);
            if (end < 0)
                return wrong(
                    Words::tr("The text that begins with %1 has no closing quotation mark.").arg(text.mid(at, 20)));
            tokens.push_back({Token::Kind::Quoted, text.mid(at + 1, end - at - 1)});
            at = end + 1;
        } else if (isSignCharacter(c)) {
            qsizetype end = at + 1;
            if (end < text.size() && text[end] == u'=') ++end;
            tokens.push_back({Token::Kind::Sign, text.mid(at, end - at)});
            at = end;
        } else {
            qsizetype end = at;
            while (end < text.size() && !text[end].isSpace() && !isSignCharacter(text[end]) &&
                   !u"()\""_s.contains(text[end])) {
                ++end;
            }
            tokens.push_back({Token::Kind::Word, text.mid(at, end - at)});
            at = end;
        }
    }
    tokens.push_back({});
    return tokens;
}

const std::pair<const char16_t*, Field> kPlainFields[] = {
    {u"name", Field::Name},         {u"id", Field::Id},         {u"state", Field::State},
    {u"pipeline", Field::Pipeline}, {u"target", Field::Target}, {u"experiment", Field::Experiment},
    {u"seconds", Field::Seconds}};

const std::pair<const char16_t*, Sign> kSigns[] = {
    {u"=", Sign::Equal},   {u"==", Sign::Equal},        {u"!=", Sign::NotEqual}, {u"~", Sign::Contains},
    {u">", Sign::Greater}, {u">=", Sign::GreaterEqual}, {u"<", Sign::Less},      {u"<=", Sign::LessEqual}};

class Parser
{
public:
    explicit Parser(std::vector<Token> tokens) : m_tokens(std::move(tokens)) {}

    Result<NodePtr> whole()
    {
        MR_TRY(NodePtr root, any());
        if (here().kind == Token::Kind::Close) return wrong(Words::tr("There is a ) without its (."));
        return root;
    }

private:
    const Token& here() const { return m_tokens[m_at]; }
    bool isWord(QStringView word) const
    {
        return here().kind == Token::Kind::Word && here().text.compare(word, Qt::CaseInsensitive) == 0;
    }

    Result<NodePtr> any()
    {
        auto node = std::make_unique<RunFilter::Node>();
        node->kind = Kind::Any;
        MR_TRY(NodePtr first, all());
        node->children.push_back(std::move(first));
        while (isWord(u"or")) {
            ++m_at;
            MR_TRY(NodePtr next, all());
            node->children.push_back(std::move(next));
        }
        return node;
    }

    Result<NodePtr> all()
    {
        auto node = std::make_unique<RunFilter::Node>();
        node->kind = Kind::All;
        do {
            MR_TRY(NodePtr next, one());
            node->children.push_back(std::move(next));
            if (isWord(u"and")) {
                ++m_at;
                if (here().kind == Token::Kind::End) return wrong(Words::tr("Something is expected after “and”."));
            }
        } while (here().kind != Token::Kind::End && here().kind != Token::Kind::Close && !isWord(u"or"));
        return node;
    }

    Result<NodePtr> one()
    {
        if (++m_depth > 100) return wrong(Words::tr("The filter is nested too deeply."));
        Result<NodePtr> node = inner();
        --m_depth;
        return node;
    }

    Result<NodePtr> inner()
    {
        auto node = std::make_unique<RunFilter::Node>();
        if (isWord(u"not")) {
            ++m_at;
            node->kind = Kind::Not;
            MR_TRY(NodePtr child, one());
            node->children.push_back(std::move(child));
            return node;
        }
        if (here().kind == Token::Kind::Open) {
            ++m_at;
            MR_TRY(NodePtr child, any());
            if (here().kind != Token::Kind::Close) return wrong(Words::tr("A ) is missing."));
            ++m_at;
            return child;
        }
        if (here().kind == Token::Kind::End) return wrong(Words::tr("A word or a comparison is expected at the end."));
        if (here().kind != Token::Kind::Word && here().kind != Token::Kind::Quoted) {
            return wrong(Words::tr("“%1” is not expected here: write a field before it, such as metrics.test.accuracy.")
                             .arg(here().text));
        }
        if (m_tokens[m_at + 1].kind == Token::Kind::Sign) return comparison();
        node->text = here().text;
        ++m_at;
        return node;
    }

    Result<NodePtr> comparison()
    {
        auto node = std::make_unique<RunFilter::Node>();
        const QString field = here().text;
        if (field.startsWith(u"metrics."_s)) {
            node->field = Field::Metric;
            node->name = field.mid(8);
        } else if (field.startsWith(u"params."_s)) {
            node->field = Field::Param;
            node->name = field.mid(7);
        } else {
            const auto known = std::find_if(std::begin(kPlainFields), std::end(kPlainFields),
                                            [&](const auto& entry) { return QStringView(entry.first) == field; });
            if (known == std::end(kPlainFields)) return unknownField(field);
            node->field = known->second;
        }
        ++m_at;
        const auto sign = std::find_if(std::begin(kSigns), std::end(kSigns),
                                       [&](const auto& entry) { return QStringView(entry.first) == here().text; });
        if (sign == std::end(kSigns))
            return wrong(Words::tr("“%1” is not a comparison; use = != ~ > >= < or <=.").arg(here().text));
        node->sign = sign->second;
        const QString signText = here().text;
        ++m_at;
        if (here().kind != Token::Kind::Word && here().kind != Token::Kind::Quoted) {
            return wrong(Words::tr("A value is expected after “%1 %2”.").arg(field, signText));
        }
        node->text = here().text;
        const auto number = parseDouble(here().text.toStdString());
        if (number && here().kind == Token::Kind::Word) node->number = *number;
        const bool ordered = node->sign >= Sign::Greater;
        const bool numeric = node->field == Field::Metric || node->field == Field::Seconds;
        if ((ordered || numeric) && !number) {
            return wrong(Words::tr("“%1 %2” needs a number, but “%3” is none.").arg(field, signText, node->text));
        }
        if (ordered && !numeric && node->field != Field::Param) {
            return wrong(Words::tr("“%1” is text; it can be compared with =, != and ~.").arg(field));
        }
        ++m_at;
        return node;
    }

    static Error unknownField(const QString& field)
    {
        std::vector<std::string> known = {"metrics.", "params."};
        for (const auto& entry : kPlainFields) known.push_back(QString::fromUtf16(entry.first).toStdString());
        const QString near = QString::fromStdString(didYouMean(field.toStdString(), known));
        return wrong(
            Words::tr("There is no field “%1”. Fields are metrics.NAME, params.NAME, name, state, pipeline, target, "
                      "experiment, id and seconds. %2")
                .arg(field, near)
                .trimmed());
    }

    std::vector<Token> m_tokens;
    std::size_t m_at = 0;
    int m_depth = 0;
};

bool compareNumbers(Sign sign, double left, double right)
{
    switch (sign) {
    case Sign::Equal:
        return left == right;
    case Sign::NotEqual:
        return left != right;
    case Sign::Greater:
        return left > right;
    case Sign::GreaterEqual:
        return left >= right;
    case Sign::Less:
        return left < right;
    case Sign::LessEqual:
        return left <= right;
    case Sign::Contains:
        return false;
    }
    return false;
}

bool compareTexts(Sign sign, const QString& left, const QString& right)
{
    if (sign == Sign::Contains) return left.contains(right, Qt::CaseInsensitive);
    const bool same = left.compare(right, Qt::CaseInsensitive) == 0;
    return sign == Sign::NotEqual ? !same : same;
}

QString stateText(const RunSummary& run)
{
    const auto name = protocol::name(run.state);
    return QString::fromLatin1(name.data(), static_cast<qsizetype>(name.size()));
}

// "epochs" finds "fit.epochs" too, so that nobody needs to know the node's id
const Parameter* parameterOf(const RunSummary& run, const QString& name)
{
    if (const Parameter* exact = run.parameter(name)) return exact;
    for (const Parameter& parameter : run.parameters) {
        const qsizetype dot = parameter.name.size() - name.size() - 1;
        if (dot > 0 && parameter.name[dot] == u'.' && parameter.name.endsWith(name)) return &parameter;
    }
    return nullptr;
}

bool test(const RunFilter::Node& node, const RunSummary& run)
{
    switch (node.field) {
    case Field::Anywhere:
        return run.name.contains(node.text, Qt::CaseInsensitive) ||
               run.pipeline.contains(node.text, Qt::CaseInsensitive) ||
               run.experiment.contains(node.text, Qt::CaseInsensitive) ||
               run.target.contains(node.text, Qt::CaseInsensitive) || run.id.contains(node.text, Qt::CaseInsensitive) ||
               stateText(run).contains(node.text, Qt::CaseInsensitive);
    case Field::Metric: {
        const Metric* metric = run.metric(node.name);
        return metric && compareNumbers(node.sign, metric->value, node.number);
    }
    case Field::Param: {
        const Parameter* parameter = parameterOf(run, node.name);
        if (!parameter) return false;
        if (std::isfinite(node.number) && node.sign != Sign::Contains) {
            return compareNumbers(node.sign, parameter->number, node.number);
        }
        return compareTexts(node.sign, parameter->text, node.text);
    }
    case Field::Seconds:
        return compareNumbers(node.sign, run.seconds(), node.number);
    case Field::Name:
        return compareTexts(node.sign, run.name, node.text);
    case Field::Id:
        return compareTexts(node.sign, run.id, node.text);
    case Field::State:
        return compareTexts(node.sign, stateText(run), node.text);
    case Field::Pipeline:
        return compareTexts(node.sign, run.pipeline, node.text);
    case Field::Target:
        return compareTexts(node.sign, run.target, node.text);
    case Field::Experiment:
        return compareTexts(node.sign, run.experiment, node.text);
    }
    return false;
}

bool evaluate(const RunFilter::Node& node, const RunSummary& run)
{
    const auto holds = [&](const NodePtr& child) { return evaluate(*child, run); };
    switch (node.kind) {
    case Kind::All:
        return std::all_of(node.children.begin(), node.children.end(), holds);
    case Kind::Any:
        return std::any_of(node.children.begin(), node.children.end(), holds);
    case Kind::Not:
        return !holds(node.children.front());
    case Kind::Test:
        return test(node, run);
    }
    return false;
}

void collectMetricNames(const RunFilter::Node& node, QStringList& names)
{
    if (node.kind == Kind::Test && node.field == Field::Metric && !names.contains(node.name)) names << node.name;
    for (const auto& child : node.children) collectMetricNames(*child, names);
}

} // namespace

RunFilter::RunFilter() = default;
RunFilter::~RunFilter() = default;
RunFilter::RunFilter(RunFilter&&) noexcept = default;
RunFilter& RunFilter::operator=(RunFilter&&) noexcept = default;

Result<RunFilter> RunFilter::parse(const QString& text)
{
    RunFilter filter;
    if (text.trimmed().isEmpty()) return filter;
    MR_TRY(auto tokens, tokensOf(text));
    MR_TRY(filter.m_root, Parser(std::move(tokens)).whole());
    return filter;
}

bool RunFilter::matches(const RunSummary& run) const
{
    return !m_root || evaluate(*m_root, run);
}

bool RunFilter::isEmpty() const
{
    return !m_root;
}

QStringList RunFilter::metricNames() const
{
    QStringList names;
    if (m_root) collectMetricNames(*m_root, names);
    return names;
}

} // namespace millrace::ui
