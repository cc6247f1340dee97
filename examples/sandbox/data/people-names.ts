/** A name in Khmer script and its usual spelling in Latin letters. */
export type NamePair = readonly [km: string, latin: string]

export const FAMILY_NAMES = pairs(`
  សុខ Sok, ចាន់ Chan, ហេង Heng, លី Ly, គឹម Kim, ស៊ឹម Sim, ជា Chea, ម៉ៅ Mao, កែវ Keo, ប៊ុន Bun,
  ទេព Tep, ម៉ម Mom, អ៊ុក Ouk, អ៊ុំ Um, ឈឹម Chhim, ឈួន Chhuon, ឡុង Long, លឹម Lim, តាន់ Tan,
  តាំង Taing, ង៉ែត Nget, ញឹម Nhim, នួន Nuon, ប៉ែន Pen, ផាន់ Phan, ពេជ្រ Pich, ព្រំ Prum, មាស Meas,
  យឹម Yim, យន់ Yun, រស់ Ros, វ៉ាន់ Vann, សាន San, សំ Sam, សេង Seng, ស៊ន Son, អ៊ឹម Im, អ៊ុង Ung,
  ឯក Ek, ឌួង Duong, ខៀវ Khiev, គង់ Kong, ជុំ Chum, ទូច Touch, ហ៊ុន Hun, ហួត Huot, ឡាយ Lay, ឃុន Khun`)

export const MALE_NAMES = pairs(`
  វិចិត្រ Vichet, សុវណ្ណ Sovann, ពិសិដ្ឋ Piseth, ដារ៉ា Dara, បូរ៉ា Bora, វីរៈ Virak,
  សំណាង Samnang, ប៊ុនធឿន Bunthoeun, សុផល Sophal, សុខា Sokha, រិទ្ធី Rithy, វណ្ណៈ Vannak,
  មករា Makara, មុនី Mony, សារិន Sarin, សុធា Sothea, កុសល Kosal, ឧត្តម Oudom, ណារិទ្ធ Narith,
  បញ្ញា Panha, ភក្តី Pheakdey, សុភ័ក្ត្រ Sopheak, វុទ្ធី Vuthy, វឌ្ឍនា Vathana, ចំរើន Chamroeun,
  សុខុម Sokhom, កក្កដា Kakada, សីហា Seyha, ធារ៉ា Theara, គឹមហុង Kimhong, ម៉េងហុង Menghong,
  ប៊ុនលី Bunly, វិបុល Vibol, សុជាតិ Socheat, រក្សា Raksa, អាណន្ទ Anan, ណារ៉ុង Narong, វាសនា Veasna`)

export const FEMALE_NAMES = pairs(`
  ស្រីមុំ Sreymom, ស្រីពៅ Sreypov, ស្រីនាង Sreyneang, សុភា Sophea, សុគន្ធា Sokunthea, បុប្ផា Bopha,
  ចន្ថា Chantha, ចន្ធូ Chanthou, កល្យាណ Kalyan, ធីតា Thida, រស្មី Reaksmey, ម៉ាលា Mala, ម៉ាលី Maly,
  សុខលី Sokly, នារី Neary, សុវណ្ណារី Sovannary, ផល្លា Phalla, ផល្លី Phally, សុជាតា Socheata,
  វណ្ណា Vanna, វណ្ណី Vanny, រតនា Ratana, លក្ខិណា Leakhena, ទេវី Tevy, នីតា Nita, ពិសី Pisey,
  ភារុណ Phearun, កញ្ញា Kanha, កុលាប Kolap, គន្ធា Kunthea, ចរិយា Chariya, ណារី Nary, ដាលីន Dalin,
  ដានី Dany, សុម៉ាលី Somaly, អប្សរា Apsara, លីណា Lina, លីដា Lida, ស្រីនិច Sreynich, ស្រីរ័ត្ន Sreyrath`)

function pairs(text: string): readonly NamePair[] {
  return text.split(',').map((pair) => {
    const [km, latin] = pair.trim().split(' ')
    return [km!, latin!]
  })
}
