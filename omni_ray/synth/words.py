"""The vocabulary of the synthetic corpora: common English words by part of speech and topic.

Plain data. Inflected forms are made in :mod:`omni_ray.synth.morphology`, invented names in
:mod:`omni_ray.synth.names`.
"""

from __future__ import annotations


def listed(words: str) -> list[str]:
    """The words of a text, split at white space."""
    return words.split()


ANIMALS = listed("""
badger bat bear beaver beetle bison butterfly camel cat cheetah chicken cow crab crane cricket crocodile crow deer
dog dolphin donkey dove dragonfly duck eagle eel elephant falcon finch fox frog goat goose gull hamster hare hawk
hedgehog heron horse jackal kangaroo kitten lamb lark leopard lion lizard lobster lynx magpie mole monkey moose moth
mouse mule newt octopus otter owl ox panther parrot peacock pelican penguin pheasant pig pigeon pony porcupine
puffin puppy rabbit raccoon ram raven robin rooster salmon seal shark sheep snail snake sparrow spider squirrel
starling stork swallow swan tiger toad trout turkey turtle viper vole walrus wasp weasel whale wolf woodpecker worm
wren zebra
""")

THINGS = listed("""
album anchor apron arrow axe badge bag ball balloon barrel basin basket bead bell belt bench bicycle blanket boat
bolt book boot bottle bowl box bracelet branch brick bridle broom brush bucket button cabinet cable cage calendar
camera candle canoe cap card carpet cart casket chain chair chalice chart chest chisel clock cloak coat coin comb
compass cord cork cradle crate crayon crown cup curtain cushion desk dial dish doll door drawer dress drill drum
easel engine envelope fan feather fence flag flask flute fork frame funnel gate gear glass globe glove goblet
hammer handle harness harp hat helmet hinge hook hose jacket jar jug kettle key kite knife knot label ladder ladle
lamp lantern latch lens letter lever lid lock locket loom magnet map marble mask mast mat medal mill mirror mitten
mug nail napkin necklace needle net notebook oar oven paddle painting pan paper parcel pen pencil pendulum piano
picture pillow pin pipe pitcher plank plate plough pot prism pulley pump puppet purse puzzle quilt radio raft rake
razor ribbon ring robe rocket rod roof rope rug ruler sack saddle sail saw scale scarf scroll shawl shelf
shield ship shirt shoe shovel sickle sieve signal skate sketch sled sleeve slipper soap sock spade spear spindle
spoon spring stamp statue stove strap string suitcase sundial sweater sword table tablet tent thimble thread ticket
tile tool torch towel toy tray treasure trophy trumpet trunk tube tunnel turbine umbrella valve vase vest violin
wagon wallet watch wheel whistle window wire wrench
""")

FOODS = listed("""
almond apple apricot artichoke avocado banana bean berry biscuit blackberry blueberry bun cabbage cake carrot cherry
chestnut coconut cookie crumpet cucumber dumpling egg fig grape hazelnut lemon lentil lime mango melon muffin
mushroom nectarine noodle oat olive onion orange pancake parsnip pastry pea peach peanut pear pepper pickle pie
pineapple plum potato pretzel pudding pumpkin radish raisin raspberry salad sandwich sausage scone strawberry
tangerine tart tomato turnip waffle walnut
""")

DISHES = listed("""
biscuit bun cake chowder crumpet curry dumpling flan goulash loaf muffin noodle omelette pancake pastry pie pretzel
pudding roll salad sandwich scone soup stew strudel tart waffle
""")

CONTESTS = listed("championship contest final league match race round season semifinal tournament")

INGREDIENTS = listed("""
barley basil bran bread butter cheese chocolate cinnamon clove coffee cornmeal cream dough flour garlic ginger honey
jam juice maize malt milk mint mustard nutmeg oatmeal oil parsley porridge rice rosemary saffron sage salt soda
spinach starch sugar syrup tea thyme treacle vanilla vinegar water wheat yeast yoghurt
""")

MATERIALS = listed("""
amber bamboo brass bronze canvas cardboard cedar ceramic chalk clay coal concrete copper cotton flint glass gold
granite gravel iron ivory jade lead leather limestone linen marble nickel oak paper pewter pine plaster plastic
porcelain quartz rubber sandstone satin silk silver slate steel stone straw timber tin velvet walnut wax wicker wool
zinc
""")

JOBS = listed("""
accountant acrobat actor admiral architect artist astronomer author baker banker barber beekeeper biologist
blacksmith botanist builder butcher captain carpenter cashier chef chemist clerk cobbler composer conductor
cook curator dancer dentist designer detective diver doctor driver economist editor electrician engineer explorer
farmer firefighter fisher florist gardener geologist glazier goldsmith guard guide hairdresser historian hunter
inspector inventor jeweller journalist judge juggler keeper lawyer lecturer librarian linguist locksmith magician
manager mason mathematician mayor mechanic merchant messenger miller miner musician nurse officer optician painter
pharmacist philosopher photographer physicist pianist pilot plumber poet porter postmaster potter printer professor
programmer reporter sailor scholar scientist sculptor secretary shepherd shopkeeper singer smith soldier student
surgeon surveyor tailor teacher technician tinker trader translator violinist waiter watchmaker weaver writer
""")

BUILDINGS = listed("""
abbey academy airport aquarium archive arena bakery bank barn barracks bookshop brewery bridge cabin cafe castle
cathedral chapel cinema clinic college cottage courthouse dairy factory farm fortress foundry gallery garage
greenhouse harbour hospital hotel house inn kiosk laboratory library lighthouse mansion market mill monastery
museum observatory office orchard palace pavilion pharmacy pier prison quarry refinery restaurant school shed shop
stable stadium station studio temple theatre tower university vineyard warehouse windmill workshop
""")

LANDSCAPES = listed("""
bay beach bog brook canal canyon cape cave cliff coast creek delta desert dune estuary field fjord ford forest
glacier glen gorge grove gulf heath hill hollow island lagoon lake ledge marsh meadow moor mountain oasis pass
pasture path peak peninsula plain plateau pond prairie ravine reef ridge river road shore slope spring strait stream
summit swamp trail valley volcano waterfall wetland wood
""")

PLANTS = listed("""
acacia alder ash aspen bamboo beech birch bluebell bramble buttercup cactus cedar clover cypress daffodil dahlia
daisy elder elm fern foxglove geranium hawthorn hazel heather holly hyacinth iris ivy jasmine juniper larch lavender
lilac lily linden lupin maple marigold moss nettle oak orchid pansy peony pine poplar poppy primrose reed rose
rowan rush sage snowdrop spruce sunflower sycamore thistle tulip vine violet willow yew
""")

ABSTRACT = listed("""
accident account achievement action adventure advice agreement ambition amount analysis anger answer anxiety
argument attempt attention attitude balance beauty beginning belief benefit bravery burden care career caution
chance change character choice comfort comment concern condition confidence connection consequence contract
conversation courage culture curiosity custom damage danger debate decision defeat delay delight demand detail
difference difficulty discovery doubt dream duty effect effort emotion energy escape event evidence example
excitement excuse exercise experience experiment explanation failure faith fame favour feeling fortune freedom
friendship future generosity goal gratitude growth guess habit happiness harmony health hope hour humour idea
imagination improvement income influence instinct invention invitation journey joy judgement justice kindness
knowledge labour language laughter lesson liberty limit logic loyalty luck manner meaning memory mercy message
method mistake mood moment mystery nature need notion occasion opinion opportunity order origin pain patience
pattern peace permission plan pleasure policy possibility poverty power practice praise preference pressure pride
principle problem process profit progress promise proof proposal purpose quality question reason regret relief
reply report request respect response responsibility result reward risk routine rumour safety search secret sense
shock silence skill solution sorrow story strength strategy struggle success surprise sympathy system talent task
theory thought threat tradition trouble trust truth value victory view vision warning wealth wisdom wish wonder
""")

SUBJECTS = listed("""
algebra anatomy archaeology architecture arithmetic astronomy biology botany chemistry commerce cookery dance drama
economics electronics engineering ethics farming genetics geography geology geometry grammar history journalism
law linguistics literature logic mathematics mechanics medicine meteorology music navigation optics painting
philosophy photography physics poetry politics pottery psychology rhetoric sculpture sociology statistics surgery
theology zoology
""")

EVENTS = listed("""
auction banquet battle carnival ceremony championship concert conference contest coronation course debate
demonstration dinner election exhibition expedition experiment fair feast festival funeral harvest holiday
interview lecture match meeting negotiation parade party performance picnic procession race rehearsal reunion
revolution rescue sale seminar siege storm strike survey tournament trial visit voyage wedding
""")

WEATHER = listed("""
breeze cloud cold drizzle drought dust fog frost gale hail haze heat lightning mist rain shower sleet smoke snow
storm sunshine thunder wind
""")

PEOPLE = listed("""
aunt boy brother child cousin crowd daughter father friend girl grandfather grandmother guest hero king lady leader
man mother nephew neighbour niece partner passenger pupil queen rival sister son stranger team tourist traveller
twin uncle visitor widow winner woman
""")

COLOURS = listed("black blue brown golden green grey orange pink purple red silver white yellow")

SHORT_ADJECTIVES = listed("""
bold brave bright broad calm cheap clean clear clever close cold cool crisp damp dark deep dense dry dull faint fair
fast fine firm flat fresh fierce full gentle grand great green hard harsh high hot humble keen kind large late
light long loud low mild narrow near neat new noble odd old pale plain poor proud pure quick quiet rare rich ripe
rough round sad safe sharp short shy simple slim slow small smart smooth soft sour steep stern stiff strange strict
strong sweet swift tall tame tender thick thin tight tiny tough vague vast warm weak wet wide wild wise young
busy cloudy cosy crazy curly dirty dusty easy empty foggy friendly funny gloomy greedy happy healthy heavy hungry
icy lazy lively lonely lovely lucky merry misty muddy noisy rainy rocky rusty salty sandy shiny silly sleepy
snowy steady stormy sunny thirsty tidy tricky ugly wealthy windy worthy
""")

LONG_ADJECTIVES = listed("""
abundant academic accurate active actual adequate ambitious ancient anxious artificial attentive automatic awkward
beautiful bitter broken capable careful careless casual cautious central certain charming cheerful chemical civil
classical coastal colourful comfortable common compact complete complex confident conscious constant cotton crooked
crowded crucial curious current daily dangerous decent delicate delicious dependent desperate different difficult
digital direct distant distinct domestic double dramatic eager eastern economic effective efficient elaborate
elegant endless enormous entire equal essential eternal exact excellent exotic expensive experienced external
extraordinary faithful familiar famous fantastic fertile final flexible foolish foreign formal fortunate fragile
fragrant frequent frozen general generous genuine gigantic global glorious graceful gradual grateful handsome
harmless helpful hidden historic hollow honest horizontal hostile ideal identical immediate immense important
impossible impressive independent industrial inevitable informal innocent intelligent intense interesting internal
jealous joyful legal liberal literary local logical magnificent marvellous massive mechanical medical mental
mighty military minor modern modest moral musical mysterious national native natural necessary nervous normal
northern obvious occasional official opposite ordinary original painful painted patient peaceful peculiar perfect
permanent personal physical pleasant polished polite political popular portable positive possible powerful
practical precious precise private productive professional prominent proper public puzzled rapid rational raw
realistic reasonable recent regular relevant reliable religious remarkable remote respectable responsible
rotten royal rural sacred satisfied scientific secret selfish senior sensible sensitive separate serious severe
significant silent similar sincere single skilful social solar solid southern special spiral splendid spontaneous
square stable standard stubborn substantial subtle successful sudden sufficient suitable superb superior suspicious
symbolic talented technical temporary terrible thorough thoughtful tired tolerant total traditional transparent
tremendous tropical typical uncertain uniform unique universal unusual upper urban urgent useful usual valuable
variable verbal vertical violent visible vital vivid voluntary western wonderful wooden
""")

ADVERBS = listed("""
afterwards again ago almost already also always annually anyway apart aside away back backwards barely
beforehand below beyond briefly certainly daily downstairs early elsewhere enough especially eventually everywhere
far finally forever formerly forward frequently gladly halfway hardly hence here hourly immediately indeed indoors
instead lately later meanwhile merely monthly mostly nearby nearly never nevertheless nonetheless nowadays
occasionally often once online outdoors outside overhead overnight partly perhaps precisely presently previously
probably quite rarely rather recently roughly scarcely seldom shortly simply sometimes somewhere soon still
straight suddenly surely then there thereby therefore together tomorrow tonight twice underground upstairs upwards
usually weekly well yearly yesterday yet
""")

MANNER = listed("""
carefully carelessly cautiously cheerfully closely eagerly easily elegantly firmly gently gracefully gradually
happily honestly hurriedly kindly loudly neatly nervously openly patiently playfully politely proudly quickly quietly
rapidly sadly safely seriously silently sincerely skilfully slowly smoothly softly steadily swiftly tenderly
thoroughly warmly wisely
""")

HANDLING_VERBS = listed("""
admire borrow break bring build bury buy carry catch clean collect copy count cover cut decorate deliver describe
design destroy discover display draw drop examine exchange fetch fill find fix fold forget gather give grab grind
guard hang hide hold ignore improve inherit inspect install invent keep lift load lock lose make measure mend miss
move notice offer open order own pack paint photograph pick place polish press print produce protect pull push
raise receive recognize recover reject remove repair replace return reveal sell send shake share shift show sketch
steal stir store study test throw tie touch trade transport turn unlock unwrap use wash wear weigh wrap
""")

MOTION_VERBS = listed("""
arrive climb crawl cross dance depart disappear drift escape float flow fly gallop glide hurry jump kneel land leap
linger march pause race rest ride rise roll run rush sail settle shiver sink sit skip slide slip sleep smile spin
stand stay stop stroll swim swing travel tremble turn vanish wait wake walk wander wave whisper work yawn
""")

SPEECH_VERBS = listed("""
add agree announce answer argue ask complain confess confirm cry declare explain insist laugh mention murmur mutter
note observe predict promise protest recall remark repeat reply report say shout sigh state suggest warn whisper
""")

MENTAL_VERBS = listed("""
accept assume believe consider doubt dream expect fear feel forget guess hear hope imagine know learn notice
remember see sense suppose think trust understand wonder
""")

PROCESS_VERBS = listed("""
absorb achieve adapt adjust adopt affect analyse apply arrange assess attract avoid balance calculate cause celebrate
challenge combine compare complete concern conduct confirm connect construct consume control convert cultivate
define defend determine develop divide encourage establish estimate evaluate exceed expand explore express extend
finance follow generate govern harvest identify illustrate increase influence inform introduce investigate justify
maintain manage obtain occupy organise perform permit plan prepare preserve prevent promote prove publish
reach record reduce reflect regulate require resolve restore restrict select separate solve stimulate strengthen
support survive transfer transform translate transmit
""")

DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = listed("January February March April May June July August September October November December")
SEASONS = listed("spring summer autumn winter")
DIRECTIONS = listed("north south east west northeast northwest southeast southwest")
UNITS = listed("grams kilograms litres millilitres spoonfuls cups ounces pounds pinches slices")
LENGTHS = listed("metres kilometres miles yards feet inches centimetres")

NOUNS = [*ANIMALS, *THINGS, *FOODS, *DISHES, *JOBS, *BUILDINGS, *LANDSCAPES, *PLANTS, *EVENTS, *PEOPLE]
ADJECTIVES = [*SHORT_ADJECTIVES, *LONG_ADJECTIVES]
VERBS = [*HANDLING_VERBS, *MOTION_VERBS, *SPEECH_VERBS, *MENTAL_VERBS, *PROCESS_VERBS]
ALL = sorted({*NOUNS, *INGREDIENTS, *MATERIALS, *ABSTRACT, *SUBJECTS, *WEATHER, *ADJECTIVES, *ADVERBS, *MANNER, *VERBS})
