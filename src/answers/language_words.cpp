#include "answers/language_words.h"

#include <array>

namespace fathom {
namespace {

constexpr auto languages = std::to_array<LanguageWords>({
    {"en", Script::latin,
     "the of and to in a is that it for you was with on are as be this have from or not but by they we your "
     "my "
     "an at his her he she i will can which what their there has been if all do me our who when so"},
    {"de", Script::latin,
     "der die das und ist in den von zu mit sich des auf für nicht ein eine als auch es an dem im werden aus "
     "er "
     "hat dass sie nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur "
     "ich "
     "du wir ihr"},
    {"fr", Script::latin,
     "de la le et les des en un une du dans est que qui pour pas sur au plus par il se avec ce sont aux ne "
     "ou "
     "mais cette son sa ses vous nous je l d c qu être été leur comme"},
    {"es", Script::latin,
     "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí "
     "porque esta son entre está cuando muy sin sobre es fue también hay donde"},
    {"pt", Script::latin,
     "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à "
     "seu "
     "sua ou ser quando muito há nos já está eu também só pelo pela são você"},
    {"it", Script::latin,
     "di che e la il un a per è in una sono non si con le i da lo come del ma della al più nel alla anche se "
     "gli "
     "dei ha delle questo essere ci o ed l dell nella sul sulla dal dalla mi suo molto"},
    {"nl", Script::latin,
     "de het een en van in is dat op te zijn met voor niet aan er om ook als dan maar bij of uit nog worden "
     "door "
     "naar heeft hij ze wordt tot je mijn deze over zo wij"},
    {"sv", Script::latin,
     "och i att en det som på är av för med till den har de inte om ett han men var jag sig från vi så kan "
     "när "
     "år under också efter eller nu sin där vid mot ska skulle"},
    {"da", Script::latin,
     "og i at en det som på er af for med til den har de ikke om et han men var jeg sig fra vi så kan når år "
     "under også efter eller nu sin der ved mod skal skulle blev hvad"},
    {"no", Script::latin,
     "og i at en det som på er av for med til den har de ikke om et han men var jeg seg fra vi så kan når år "
     "under også etter eller nå sin der ved mot skal skulle ble hva"},
    {"fi", Script::latin,
     "ja on ei se että oli hän mutta ovat kun niin myös tai joka minä sinä me te he mitä kuin voi ole sen "
     "jos "
     "hänen tämä olen vain sekä sitä jotka siitä kanssa nyt ollut olla mukaan kuten voit"},
    {"hu", Script::latin,
     "a az és hogy nem is egy ez azt de van ha már csak meg el volt mint én még kell vagy minden lesz itt ki "
     "fel ezt mert aki"},
    {"pl", Script::latin,
     "i w na z się nie do to że jest o jak po co ale za od przez dla są ten jego tak był tym może być oraz "
     "jej "
     "czy które który lub pod także"},
    {"cs", Script::latin,
     "a v na se je že s z do o i to k ve pro za by ale si jako po jsem od jsou které bylo nebo jen už když "
     "také "
     "tak podle který při"},
    {"ro", Script::latin,
     "de și în a la cu că nu pe un este din care să mai se pentru o fi sunt al dar sau au ce prin fost "
     "după "
     "ale lui cel acest această"},
    {"tr", Script::latin,
     "ve bir bu da de için ile çok ne o olarak daha gibi en olan kadar sonra ama var ben her mi değil olduğu "
     "veya ancak ya yok bunu"},
    {"vi", Script::latin,
     "và của là có được cho không một các với những trong người đã tôi này để khi đó ở bạn từ ra về như "
     "nhiều "
     "đến sẽ cũng phải vào thì rất nhưng hay mà anh em chúng"},
    {"id", Script::latin,
     "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena ada bisa mereka kita "
     "atau "
     "adalah kami oleh sudah anda telah seperti dapat bahwa"},
    {"sw", Script::latin,
     "na ya wa kwa ni katika za la cha kuwa hii ambayo si yake wake pia hiyo watu kama ili au lakini kila "
     "yako "
     "wako huu hilo vya baada sana mtu wao mimi wewe yetu kutoka hivyo"},
    {"ru", Script::cyrillic,
     "и в не на я что он с как это по но из у за от так для же вы то о его к все был или она мы быть мне "
     "если "
     "ее бы только уже их есть были которые может также при до чтобы со"},
    {"uk", Script::cyrillic,
     "і в не на я що він з як це по але із у за від так для ж ви то про його до всі був або вона ми бути "
     "якщо її "
     "б тільки вже їх є були які може також при щоб та й"},
    {"bg", Script::cyrillic,
     "и на в не да се е за от с че по като той си са към но или до при тя ще във със това има беше много "
     "един "
     "както аз ние те може ви ни му го й след още този тази които"},
    {"mk", Script::cyrillic,
     "и на во не да се е за од со дека по како тој си кон но или до при таа ќе тоа има беше многу еден јас "
     "ние "
     "тие може ви му го ја овој оваа кои сум ги"},
    {"hi", Script::devanagari,
     "के में है की और का को से ने पर हैं यह कि भी नहीं था एक इस कर जो हो तो ही थे थी वह लिए या आप हम मैं साथ करने गया "
     "होता अपने बहुत हूँ उनके रहा"},
    {"mr", Script::devanagari,
     "आहे आणि या तो ते ती मी हे आहेत हा ही नाही होते होता केली केले त्या एक करून व की मला तर पण असे साठी काही आपण "
     "त्यांच्या आपल्या येथे झाले म्हणून किंवा तुम्ही खूप"},
    {"ne", Script::devanagari,
     "छ र को मा हो पनि यो लागि गर्न छन् एक भएको गरेको म हुन्छ तर थियो हामी तपाईं गर्ने नेपाल यस वा साथ त्यो हुन् "
     "मेरो धेरै भने कुनै सक्नुहुन्छ छैन"},
    {"ar", Script::arabic,
     "في من على إلى أن عن هذا هذه التي الذي ما مع لا كان أو هو هي كل بعد قد ذلك بين ثم لم إن و كما يمكن حيث "
     "أنا "
     "نحن عند لكن غير أي كانت"},
    {"fa", Script::arabic,
     "و در به از که این را با است برای آن یک خود تا بر هم می شما ما او یا نیز باید شد بود شده اگر هر ها آنها "
     "کند "
     "دارد من های همه بسیار"},
    {"ur", Script::arabic,
     "کے میں ہے کی اور کا کو سے نے پر ہیں یہ کہ بھی نہیں تھا ایک اس کر جو ہو تو ہی تھے تھی وہ لیے یا آپ ہم "
     "ساتھ "
     "اپنے بہت گیا رہا ہوں"},
    {"el", Script::greek, ""},
    {"he", Script::hebrew, ""},
    {"bn", Script::bengali, ""},
    {"pa", Script::gurmukhi, ""},
    {"gu", Script::gujarati, ""},
    {"ta", Script::tamil, ""},
    {"te", Script::telugu, ""},
    {"kn", Script::kannada, ""},
    {"ml", Script::malayalam, ""},
    {"th", Script::thai, ""},
    {"ko", Script::hangul, ""},
    {"ja", Script::kana, ""},
    {"zh", Script::han, ""},
});

}  // namespace

std::span<const LanguageWords> language_words() {
  return languages;
}

}  // namespace fathom
